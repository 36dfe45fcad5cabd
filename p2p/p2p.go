package p2p

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/dnet"
	"dchat/p2p/hosts"
	"dchat/p2p/protocol"
	"dchat/p2p/session"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// P2p is one node of a network. Its methods may be called from any goroutine and
// in any state.
type P2p struct {
	settings   Settings
	log        *zap.Logger
	transports transport.Set
	registry   *protocol.Registry
	hosts      *hosts.Hosts
	events     dnet.Bus
	encoder    *channel.Encoder

	// peers are the open channels; the slice is replaced, never changed, so that
	// a broadcast takes no lock.
	peers atomic.Pointer[[]*channel.Channel]

	mu       sync.Mutex
	state    atomic.Int32                  // a State; changed under mu, read without
	run      *run                          // of the last Start
	channels map[*channel.Channel]struct{} // all of them, those in the handshake too
	changed  chan struct{}                 // closed when peers changes; nil: nobody waits
}

var _ session.Node = (*P2p)(nil)

// New makes a node of the settings, which it copies. It does no I/O. The error
// joins every fault of the settings, each a *SettingError.
func New(settings Settings, options ...Option) (*P2p, error) {
	p := &P2p{
		settings:   settings.clone(),
		log:        zap.NewNop(),
		transports: transport.Default(),
		registry:   &protocol.Registry{},
		encoder:    channel.NewEncoder(settings.MagicBytes),
		channels:   make(map[*channel.Channel]struct{}),
	}
	for _, o := range options {
		o(p)
	}
	if err := settings.ValidateFor(p.transports); err != nil {
		return nil, fmt.Errorf("p2p settings: %w", err)
	}
	p.peers.Store(new([]*channel.Channel))

	p.hosts = hosts.New(p.hostSettings(), p.log)
	if err := p.registerCore(); err != nil {
		return nil, err
	}
	return p, nil
}

// registerCore adds the protocols that every node speaks.
func (p *P2p) registerCore() error {
	ask := uint32(p.settings.OutboundConnections)
	if p.settings.GetAddrsMax != nil {
		ask = *p.settings.GetAddrsMax
	}
	return errors.Join(
		p.registry.Register(protocol.Address(protocol.AddressConfig{
			Book:     p.hosts,
			Ask:      ask,
			Schemes:  slices.DeleteFunc(p.dialable(), func(s string) bool { return !hosts.Shareable(s) }),
			External: p.external,
		})),
		p.registry.Register(protocol.Ping(p.heartbeat)),
	)
}

// Register adds a protocol to the channels made from now on; do it before Start.
// The error is a protocol.ErrRegistration.
func (p *P2p) Register(reg protocol.Registration) error { return p.registry.Register(reg) }

// Settings returns a copy of what the node was made from.
func (p *P2p) Settings() Settings { return p.settings.clone() }

// Events returns the bus on which the node tells what it does.
func (p *P2p) Events() *dnet.Bus { return &p.events }

// Hosts returns the node's address book.
func (p *P2p) Hosts() *hosts.Hosts { return p.hosts }

// Slots returns what each outbound slot is doing; none unless the node runs.
func (p *P2p) Slots() []session.Slot { return nil }

// external are the addresses by which others reach this node.
func (p *P2p) external() []addr.Addr { return p.settings.ExternalAddrs }

// Addrs returns the addresses the node listens on, with the ports really taken;
// none unless it runs.
func (p *P2p) Addrs() []addr.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.State() != Running {
		return nil
	}
	return p.run.inbound.Addrs()
}

// Channels returns the peers connected now, in no particular order: neither those
// whose handshake is not done nor those that are being left.
func (p *P2p) Channels() []*channel.Channel {
	return slices.DeleteFunc(slices.Clone(*p.peers.Load()), func(ch *channel.Channel) bool { return ch.Err() != nil })
}

// Connected waits until at least n peers are connected. The error is that of ctx.
func (p *P2p) Connected(ctx context.Context, n int) error {
	for {
		p.mu.Lock()
		enough := len(*p.peers.Load()) >= n
		if p.changed == nil {
			p.changed = make(chan struct{})
		}
		changed := p.changed
		p.mu.Unlock()
		if enough {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ErrNotRunning says that the node is not running, so nothing can be sent.
var ErrNotRunning = errors.New("the p2p node is not running")

// Broadcast queues a message for every peer that speaks its command, and returns
// for how many it was queued; 0 is no error here. It encodes once and never
// waits: a peer whose send queue is full, because it does not read, is left out
// and not counted. What was queued is sent, also when Stop follows at once, as
// long as the peer goes on reading. The error says that the node does not run
// or that the message is over its command's limit.
func (p *P2p) Broadcast(m wire.Message) (int, error) {
	if p.State() != Running {
		return 0, ErrNotRunning
	}
	return p.encoder.Broadcast(m, *p.peers.Load())
}

// Room waits until a frame of n bytes fits into the send queue of every peer
// that goes on reading, or ctx ends. A peer that has read nothing for two
// seconds is not waited for.
func (p *P2p) Room(ctx context.Context, n int) error {
	for _, ch := range *p.peers.Load() {
		ch.Room(ctx, n)
	}
	return ctx.Err()
}

// Begun is for the node's sessions.
func (p *P2p) Begun(ch *channel.Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.channels[ch] = struct{}{}
	if p.run.ctx.Err() != nil {
		ch.Close(channel.ErrStopped) // it came while the others were closed
	}
}

// Opened is for the node's sessions.
func (p *P2p) Opened(ch *channel.Channel) error {
	p.log.Info("Connected", zap.String("peer", ch.Addr().Redacted()), zap.Stringer("session", ch.Kind()))
	if ch.Kind()&channel.Default == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.setPeers(append(slices.Clip(*p.peers.Load()), ch))
	return nil
}

// Ended is for the node's sessions.
func (p *P2p) Ended(ch *channel.Channel, reason error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.channels, ch)
	p.setPeers(slices.DeleteFunc(slices.Clone(*p.peers.Load()), func(other *channel.Channel) bool { return other == ch }))
}

// setPeers is called under mu.
func (p *P2p) setPeers(peers []*channel.Channel) {
	p.peers.Store(&peers)
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}
