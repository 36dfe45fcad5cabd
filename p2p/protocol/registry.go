package protocol

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	"dchat/p2p/channel"
	"dchat/p2p/wire"
)

// Node is what a protocol may ask of the node it runs on.
type Node interface {
	// Broadcast queues a message for every peer that speaks its command, without
	// waiting for any, and returns for how many it was queued.
	Broadcast(m wire.Message) (int, error)
	// Channels returns the peers connected now.
	Channels() []*channel.Channel
	// Twins returns the channels that lead to the same peer as ch does, by what that
	// peer says: for one that we dialled those that came in and list its address as
	// their own, for one that came in the dialled one. What is broadcast goes out on
	// the dialled one only. A peer that lies is a twin too, so being one must give it
	// no power. There are mostly none; asking costs next to nothing then.
	Twins(ch *channel.Channel) []*channel.Channel
}

// Protocol is one conversation on one channel.
type Protocol interface {
	// Start begins the conversation: the handshake is done. It runs on the
	// channel's reader, so it must not block; use Channel.Go for what does. An
	// error ends the channel.
	Start() error
}

// Registration adds a protocol to every channel of some kinds of session.
type Registration struct {
	// Name tells the protocol from others; it also decides the order in which
	// protocols are attached.
	Name string

	// Sessions are the kinds of session the protocol is for; channel.Default are
	// those of real peers.
	Sessions channel.Kind

	// Feature, when it has a name, makes the protocol an extension: it is
	// advertised in our handshake, and attached, and so spoken at all, only to
	// peers that advertise the same name and version. Peers that do not know it never see a
	// byte of it. Never use it for the commands of stock nodes. The name has at
	// most 32 bytes. Extensions are not spoken on seed and refine channels.
	Feature wire.Feature

	// New subscribes to the protocol's commands on the channel and returns the
	// conversation, or nil when subscribing is all there is to it. An error ends
	// the channel.
	New func(ch *channel.Channel, node Node) (Protocol, error)
}

const (
	maxFeatures    = 10 // they must fit in the handshake, beside the addresses
	maxFeatureName = 32
)

// ErrRegistration says that a Registration was refused.
var ErrRegistration = errors.New("protocol not registered")

// Registry holds the protocols of a node. It is safe for concurrent use; a
// registration counts for channels made after it.
type Registry struct {
	mu   sync.Mutex
	regs []Registration
}

// Register adds a protocol. It fails with ErrRegistration when something is
// missing or the name is taken.
func (r *Registry) Register(reg Registration) error {
	if reg.Name == "" || reg.New == nil || reg.Sessions&channel.All == 0 {
		return fmt.Errorf("%w: %q needs a name, a constructor and at least one kind of session", ErrRegistration, reg.Name)
	}
	if len(reg.Feature.Name) > maxFeatureName {
		return fmt.Errorf("%w: the feature of %q has a name of more than %d bytes", ErrRegistration, reg.Name, maxFeatureName)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	features := 0
	for _, other := range r.regs {
		if other.Name == reg.Name {
			return fmt.Errorf("%w: the name %q is taken", ErrRegistration, reg.Name)
		}
		if other.Feature.Name != "" {
			features++
		}
	}
	if reg.Feature.Name != "" && features == maxFeatures {
		return fmt.Errorf("%w: %q would be feature %d, at most %d fit in a handshake", ErrRegistration, reg.Name, features+1, maxFeatures)
	}
	// Registrations come in any order, but channels should all be set up alike.
	i, _ := slices.BinarySearchFunc(r.regs, reg, func(a, b Registration) int { return cmp.Compare(a.Name, b.Name) })
	r.regs = slices.Insert(slices.Clone(r.regs), i, reg)
	return nil
}

func (r *Registry) list() []Registration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.regs
}

// Features returns what the node advertises on channels of a kind.
func (r *Registry) Features(kind channel.Kind) []wire.Feature {
	var fs []wire.Feature
	for _, reg := range r.list() {
		if reg.Feature.Name != "" && reg.Sessions&kind&channel.Default != 0 {
			fs = append(fs, reg.Feature)
		}
	}
	return fs
}

// Attach makes the protocols of a new channel, but for the extensions, which
// have to wait for what the peer advertises.
func (r *Registry) Attach(ch *channel.Channel, node Node) ([]Protocol, error) {
	return r.attach(ch, node, func(reg Registration) bool { return reg.Feature.Name == "" })
}

// AttachFeatures makes the protocols of the extensions that both sides advertise.
func (r *Registry) AttachFeatures(ch *channel.Channel, node Node, theirs []wire.Feature) ([]Protocol, error) {
	return r.attach(ch, node, func(reg Registration) bool {
		return reg.Feature.Name != "" && ch.Kind()&channel.Default != 0 && slices.Contains(theirs, reg.Feature)
	})
}

func (r *Registry) attach(ch *channel.Channel, node Node, wanted func(Registration) bool) ([]Protocol, error) {
	var ps []Protocol
	for _, reg := range r.list() {
		if reg.Sessions&ch.Kind() == 0 || !wanted(reg) {
			continue
		}
		p, err := reg.New(ch, node)
		if err != nil {
			return nil, fmt.Errorf("protocol %q: %w", reg.Name, err)
		}
		if p != nil {
			ps = append(ps, p)
		}
	}
	return ps, nil
}
