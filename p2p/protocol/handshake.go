package protocol

import (
	"context"
	"fmt"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/wire"
)

// Identity is what a node says of itself in every handshake.
type Identity struct {
	NodeID     string
	AppName    string
	AppVersion wire.Semver
}

// Handshake exchanges version and verack on one channel. Each side sends its
// version at once and answers the other's with a verack; a channel is open when
// both have arrived. What counts is the verack: its name must equal ours, its
// version must have our major and minor number. The same fields of the version,
// and its time, are not compared.
type Handshake struct {
	ch       *channel.Channel
	identity Identity
	heard    func(remote *wire.Version) error
	done     func(remote wire.Version) error

	// of the channel's reader
	version  *wire.Version // nil again when it has been handed on
	versions int
	verack   bool
}

// NewHandshake subscribes a channel to the messages of the handshake. heard is
// called when the peer's version has come, before it is answered, and done when the
// handshake has succeeded, both on the channel's reader; an error of theirs ends
// the channel.
func NewHandshake(ch *channel.Channel, identity Identity, heard func(remote *wire.Version) error, done func(remote wire.Version) error) (*Handshake, error) {
	h := &Handshake{ch: ch, identity: identity, heard: heard, done: done}
	err := ch.Subscribe(channel.Subscription{Spec: wire.Version{}.Spec(), Handle: channel.On(h.onVersion), Handshake: true})
	if err != nil {
		return nil, err
	}
	err = ch.Subscribe(channel.Subscription{Spec: wire.Verack{}.Spec(), Handle: channel.On(h.onVerack), Handshake: true})
	return h, err
}

// Start sends our version. endpoint is what was dialled in the end, the zero
// address on a channel that the peer opened; external are our own addresses, of
// which as many are told as fit.
func (h *Handshake) Start(ctx context.Context, endpoint addr.Addr, external []addr.Addr, features []wire.Feature) error {
	v := wire.Version{
		NodeID:          h.identity.NodeID,
		AppName:         h.identity.AppName,
		AppVersion:      h.identity.AppVersion,
		Timestamp:       uint64(time.Now().Unix()),
		ConnectRecvAddr: h.ch.Addr().Public(),
		ResolveRecvAddr: endpoint.Public(),
		Features:        features,
	}
	for _, a := range external {
		v.ExtSendAddr = append(v.ExtSendAddr, a.Public())
	}
	tooLong := func() bool { return len(v.AppendPayload(nil)) > v.Spec().MaxPayload }
	for len(v.ExtSendAddr) > 0 && tooLong() {
		v.ExtSendAddr = v.ExtSendAddr[:len(v.ExtSendAddr)-1]
	}
	if tooLong() {
		v.ResolveRecvAddr = addr.Addr{}
	}
	return h.ch.Send(ctx, &v)
}

func (h *Handshake) onVersion(v *wire.Version) error {
	if h.versions++; h.versions > 1 {
		return nil // a second one changes nothing
	}
	if err := h.heard(v); err != nil {
		return err
	}
	h.version = v
	if err := h.ch.Send(context.Background(), &wire.Verack{AppVersion: h.identity.AppVersion, AppName: h.identity.AppName}); err != nil {
		return err
	}
	return h.finish()
}

func (h *Handshake) onVerack(v *wire.Verack) error {
	if h.verack {
		return nil
	}
	if v.AppName != h.identity.AppName || !v.AppVersion.Compatible(h.identity.AppVersion) {
		return &wire.Error{Kind: wire.Mismatch, Command: v.Spec().Command,
			Reason: fmt.Sprintf("the peer runs %+.64q %+.64q, we run %q %q", v.AppName, v.AppVersion, h.identity.AppName, h.identity.AppVersion)}
	}
	h.verack = true
	return h.finish()
}

func (h *Handshake) finish() error {
	if !h.verack || h.version == nil {
		return nil
	}
	remote, done := *h.version, h.done
	h.version, h.heard, h.done = nil, nil, nil // what they hold need not last as long as the channel
	return done(remote)
}
