// Package session decides who is connected to. [Inbound] takes the connections that
// others make, [Manual] keeps those to configured peers and [Outbound] those to
// addresses that were discovered, [Direct] connects on demand, [SeedSync] asks seeds for
// addresses, and [Refine] tries addresses that were only heard of. What all of them
// share, in [Env], is how a connection becomes a channel.
package session

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/dnet"
	"dchat/p2p/hosts"
	"dchat/p2p/protocol"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// Node is what the sessions need of the node they belong to.
type Node interface {
	protocol.Node
	// Begun says that a channel exists; its handshake is still to come.
	Begun(ch *channel.Channel)
	// Opened says that the handshake of a channel is done. An error ends it.
	Opened(ch *channel.Channel) error
	// Ended says that a channel that had begun is no more, and why.
	Ended(ch *channel.Channel, reason error)
}

// Env is what all sessions of a node share. It is not changed once sessions run.
type Env struct {
	Node       Node
	Registry   *protocol.Registry
	Transports transport.Set
	Events     *dnet.Bus
	Log        *zap.Logger

	Magic        [4]byte
	Identity     protocol.Identity
	HideFeatures bool
	External     func() []addr.Addr // our own addresses
	Routes       Routes             // how addresses are dialled
	Families     *Families          // whether those that are dialled directly lead anywhere
	Localnet     bool               // private and loopback addresses are as good as others
	Profile      func(scheme string) Profile
	Hosts        *hosts.Hosts
	Question     func() *wire.GetAddr                   // what peers and seeds are asked for
	Jitter       func(most time.Duration) time.Duration // a random time, 0 to most
	Alone        func() time.Duration                   // how long there has been no connection at all; 0 while there is one
	Refused      func(peer addr.Addr) bool              // it is blacklisted, banned, or our own

	// The pace of the search for peers and of the refinery, and how long without a
	// connection makes the node doubt its own network.
	DiscoveryAttempt, DiscoveryCooloff, RefineryInterval, TimeWithNoConnections time.Duration

	// SeedNode tries addresses as soon as they are heard of, and again later.
	SeedNode bool

	WriteTimeout time.Duration
	SendQueue    int
	MaxMessage   int

	selves selves
}

// link is a connection that is to become a channel.
type link struct {
	conn     transport.Conn
	kind     channel.Kind
	deadline time.Time              // of the handshake, when that is earlier than its own time limit; or zero
	known    addr.Addr              // by which the peer is known
	endpoint addr.Addr              // that was dialled; zero when the peer made the connection
	begun    func(*channel.Channel) // called before the handshake; may be nil
	opened   func() error           // called after it, before the protocols start; may be nil
	ended    func(error)            // called at the end, whatever came before; told why
}

// serve turns a connection into a channel and returns. The channel runs as one of
// the tasks, on a fresh goroutine: the stack that setting up needs would
// otherwise stay with it for as long as it lives.
func (e *Env) serve(ctx context.Context, tasks *sync.WaitGroup, l link) {
	deadline := earlier(l.deadline, time.Now().Add(e.Profile(l.known.Scheme()).HandshakeTimeout))
	if err := e.secure(ctx, l.conn, deadline); err != nil {
		l.ended(err)
		return
	}
	ch := e.newChannel(l, deadline)
	e.Node.Begun(ch)
	if l.begun != nil {
		l.begun(ch)
	}
	self, told := e.selves.add(ch, e.HideFeatures)
	begin := func() error { return e.setUp(ctx, ch, &l, self, told) }
	last := l.ended // alone: the rest of the link need not last as long as the channel
	ended := func(err error) {
		e.selves.remove(self)
		e.Node.Ended(ch, err)
		last(err)
	}
	tasks.Go(func() { ended(ch.Run(begin)) })
}

func (e *Env) newChannel(l link, deadline time.Time) *channel.Channel {
	return channel.New(l.conn, channel.Config{
		Magic:            e.Magic,
		Kind:             l.kind,
		Addr:             l.known,
		HandshakeTimeout: time.Until(deadline),
		WriteTimeout:     e.WriteTimeout,
		SendQueue:        e.SendQueue,
		MaxMessage:       e.MaxMessage,
		Events:           e.Events,
		Log:              e.Log,
	})
}

// secure completes what has to happen before bytes flow, such as TLS. It closes
// the connection when it fails.
func (e *Env) secure(ctx context.Context, conn transport.Conn, deadline time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	err := e.shakeHands(ctx, conn)
	if err != nil {
		err = errors.Join(err, conn.Close())
	}
	return err
}

// shakeHands turns a panic of a transport into an error, as a channel does later.
func (e *Env) shakeHands(ctx context.Context, conn transport.Conn) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &channel.PanicError{Value: v}
			e.Log.Error("A panic ended a connection", zap.String("peer", conn.Peer().Redacted()), zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
		}
	}()
	return transport.Handshake(ctx, conn)
}

// setUp attaches the protocols and begins the handshake; its last message, on
// the channel's reader, does the rest.
func (e *Env) setUp(ctx context.Context, ch *channel.Channel, l *link, self *end, told []wire.Feature) error {
	protocols, err := e.Registry.Attach(ch, e.Node)
	if err != nil {
		return err
	}
	heard := func(remote *wire.Version) error { return e.selves.heard(self, remote) }
	handshake, err := protocol.NewHandshake(ch, e.Identity, heard, func(remote wire.Version) error {
		e.selves.remove(self)
		remote.Features = withoutMarks(remote.Features)
		extensions, err := e.extensions(ch, remote)
		if err != nil {
			return err
		}
		return ch.Open(remote, func() error { return e.start(ch, l.opened, slices.Concat(protocols, extensions)) })
	})
	if err != nil {
		return err
	}
	return handshake.Start(ctx, l.endpoint, e.External(), append(e.features(ch.Kind()), told...))
}

// start makes a channel that is open known, then runs its protocols.
func (e *Env) start(ch *channel.Channel, opened func() error, protocols []protocol.Protocol) error {
	if err := e.Node.Opened(ch); err != nil {
		return err
	}
	if opened != nil {
		if err := opened(); err != nil {
			return err
		}
	}
	for _, p := range protocols {
		if err := p.Start(); err != nil {
			return err
		}
	}
	return nil
}

// extensions makes the protocols that the peer advertises as we do.
func (e *Env) extensions(ch *channel.Channel, remote wire.Version) ([]protocol.Protocol, error) {
	if e.HideFeatures {
		return nil, nil
	}
	return e.Registry.AttachFeatures(ch, e.Node, remote.Features)
}

// features returns what is advertised on channels of a kind.
func (e *Env) features(kind channel.Kind) []wire.Feature {
	if e.HideFeatures {
		return nil
	}
	return e.Registry.Features(kind)
}

// connected returns the open channel, whoever made it, to a peer that an address stands
// for, or nil. It knows only of schemes where nodes dial from the address that they
// listen on: stock nodes take a second connection between the same two for a fault.
func (e *Env) connected(a addr.Addr) *channel.Channel {
	if a.Scheme() != addr.QUIC {
		return nil
	}
	for _, ch := range e.Node.Channels() {
		if ch.Addr() == a {
			return ch
		}
	}
	return nil
}

// askPeers asks everybody who is connected for addresses.
func (e *Env) askPeers(peers []*channel.Channel) {
	for _, ch := range peers {
		e.Hosts.Asked(ch.Addr())
	}
	_, _ = e.Node.Broadcast(e.Question()) // a node that stops is told otherwise
}

// logEnd says how a channel ended: an offence of the peer's, or one that is none of ours,
// is a warning, everything else is the ordinary course of things.
func (e *Env) logEnd(kind channel.Kind, known addr.Addr, err error) {
	fields := []zap.Field{zap.String("peer", known.Redacted()), zap.Stringer("session", kind), zap.Error(err)}
	if stranger(err) > 0 {
		e.Log.Warn("Connection closed: the peer is of another network or version", fields...)
		return
	}
	if offence := (*wire.Error)(nil); errors.As(err, &offence) {
		e.Log.Warn("Connection closed: the peer broke the protocol", fields...)
		return
	}
	level := zap.InfoLevel
	if e.SeedNode { // everybody comes for a moment
		level = zap.DebugLevel
	}
	e.Log.Log(level, "Disconnected", fields...)
}

// sleep waits for d and reports whether ctx let it.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
