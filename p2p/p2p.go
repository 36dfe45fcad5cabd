package p2p

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/dnet"
	"dchat/p2p/hosts"
	"dchat/p2p/portmap"
	"dchat/p2p/protocol"
	"dchat/p2p/session"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// P2p is one node of a network. Its methods may be called from any goroutine and
// in any state.
type P2p struct {
	settings   Settings // what Reload changes of it is guarded by mu, the rest is not changed
	log        *zap.Logger
	transports transport.Set
	more       []transport.Named // that options add to the transports
	gateways   portmap.Search    // nil: the usual one
	registry   *protocol.Registry
	hosts      *hosts.Hosts
	families   *session.Families
	exchange   protocol.AddressConfig
	events     dnet.Bus
	encoder    *channel.Encoder
	random     *rand.Rand // may be used concurrently

	// peers are the open channels, and targets those of them that broadcasts go to;
	// the slices are replaced, never changed, so that a broadcast takes no lock.
	peers, targets atomic.Pointer[[]*channel.Channel]
	twins          twins
	own            ownIPv6
	lost           chan error // room for one of each inbound address

	reloading sync.Mutex // one Reload at a time; taken before mu

	mu       sync.Mutex
	state    atomic.Int32              // a State; changed under mu, read without
	run      *run                      // of the last Start
	channels map[*channel.Channel]bool // all of them; false: in the handshake
	changed  chan struct{}             // closed when peers changes; nil: nobody waits
	open     int                       // channels whose handshake is done
	alone    time.Time                 // since when there has been none
}

var _ session.Node = (*P2p)(nil)

// New makes a node of the settings, which it copies. It does no I/O. The error
// joins every fault of the settings, each a *SettingError.
func New(settings Settings, options ...Option) (*P2p, error) {
	p := &P2p{
		settings: settings.clone(),
		log:      zap.NewNop(),
		registry: &protocol.Registry{},
		encoder:  channel.NewEncoder(settings.MagicBytes),
		random:   rand.New(unguessable{}),
		channels: make(map[*channel.Channel]bool),
		lost:     make(chan error, len(settings.Inbound)),
	}
	for _, o := range options {
		o(p)
	}
	if p.transports == nil {
		p.transports = transport.DefaultVia(transport.Options{Tor: settings.TorSocks5Proxy, I2P: settings.I2PSocks5Proxy, ResetKey: p.resetKey})
	}
	p.transports = p.transports.With(p.more...)
	if err := settings.ValidateFor(p.transports); err != nil {
		return nil, fmt.Errorf("p2p settings: %w", err)
	}
	p.setPeers(nil)
	p.own.localnet = settings.Localnet

	p.families = session.NewFamilies(p.jitter)
	p.hosts = hosts.New(p.hostSettings(), p.log, hosts.WithRand(p.random))
	p.exchange = protocol.AddressConfig{
		Book:     p.hosts,
		Ask:      p.ask,
		Schemes:  slices.DeleteFunc(p.dialable(), func(s string) bool { return !hosts.Shareable(s) }),
		External: p.external,
	}
	if err := p.registerCore(); err != nil {
		return nil, err
	}
	return p, nil
}

// registerCore adds the protocols that every node speaks.
func (p *P2p) registerCore() error {
	return errors.Join(
		p.registry.Register(protocol.Address(p.exchange)),
		p.registry.Register(protocol.Seed(p.exchange, p.handshakeTimeout)),
		p.registry.Register(protocol.Ping(p.heartbeat)),
	)
}

// Register adds a protocol to the channels made from now on; do it before Start.
// The error is a protocol.ErrRegistration.
func (p *P2p) Register(reg protocol.Registration) error { return p.registry.Register(reg) }

// Settings returns a copy of what is in effect: what the node was made from, or
// what Reload made of it.
func (p *P2p) Settings() Settings {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.settings.clone()
}

// Events returns the bus on which the node tells what it does.
func (p *P2p) Events() *dnet.Bus { return &p.events }

// Hosts returns the node's address book.
func (p *P2p) Hosts() *hosts.Hosts { return p.hosts }

// running is the run that goes on, or nil.
func (p *P2p) running() *run {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.State() != Running {
		return nil
	}
	return p.run
}

// Slots returns what each outbound slot is doing; none unless the node runs.
func (p *P2p) Slots() []session.Slot {
	r := p.running()
	if r == nil {
		return nil
	}
	return r.outbound.Slots()
}

// Channel returns a channel to one address: the one there is, or a new one once
// its handshake is done, which may take its connect timeout. Call release, once,
// when the channel is no longer used: a channel that was made for it ends with its
// last user, and is not made again when it is lost. The error is ErrNotRunning, wraps
// session.ErrNotDirect when the address is not one to connect to (a seed, our own, not
// among the active profiles, refused), is a *hosts.StateError when the node itself tries
// the address just now, or failed to a moment ago, or is that of the dial, the handshake
// or ctx.
func (p *P2p) Channel(ctx context.Context, a addr.Addr) (ch *channel.Channel, release func(), err error) {
	r := p.running()
	if r == nil {
		return nil, nil, ErrNotRunning
	}
	return r.direct.Channel(ctx, a)
}

// Discover looks for addresses once, for a node that has no outbound slots and so
// does not look by itself: it asks peers, then seeds, for as long as ctx and
// DiscoveryAttempt allow. It returns how many new addresses were heard of. The error
// is ErrNotRunning or that of ctx.
func (p *P2p) Discover(ctx context.Context) (heard int, err error) {
	r := p.running()
	if r == nil {
		return 0, ErrNotRunning
	}
	return r.direct.Discover(ctx)
}

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
// for how many it was queued; 0 is no error here. A peer to which there are several
// channels, see Twins, is one. It encodes once and never
// waits: a peer whose send queue is full, because it does not read, is left out
// and not counted. What was queued is sent, also when Stop follows at once, as
// long as the peer goes on reading. The error says that the node does not run
// or that the message is over its command's limit.
func (p *P2p) Broadcast(m wire.Message) (int, error) {
	if p.State() != Running {
		return 0, ErrNotRunning
	}
	return p.encoder.Broadcast(m, *p.targets.Load())
}

// Twins returns the channels that lead to the same peer as ch does, by what that
// peer says: for one that we dialled those that came in and list its address as
// their own, for one that came in the dialled one. What is broadcast goes out on
// the dialled one only. Nothing of it is proved, but for the address of the dialled
// one. The result must not be changed.
func (p *P2p) Twins(ch *channel.Channel) []*channel.Channel { return p.twins.of(ch) }

// Room waits until a frame of n bytes fits into the send queue of every peer
// that goes on reading, or ctx ends. A peer that has read nothing for two
// seconds is not waited for.
func (p *P2p) Room(ctx context.Context, n int) error {
	for _, ch := range *p.targets.Load() {
		ch.Room(ctx, n)
	}
	return ctx.Err()
}
