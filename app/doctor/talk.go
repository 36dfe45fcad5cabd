package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// Why a conversation ends that the other end did not end.
var (
	errDone     = errors.New("all has been said")
	errNoAnswer = errors.New("no answer in time")
)

// conversation is the handshake with one address and, with a seed, one question.
type conversation struct {
	*finding
	ch       *channel.Channel
	identity protocol.Identity
	ask      *wire.GetAddr // nil: nothing is asked
	own      []addr.Addr
	patience time.Duration // for the answer

	opened   time.Time
	ended    time.Time // closing comes behind it
	answered bool
}

// askFor is how many addresses a seed is asked for: enough to see that it knows
// some.
const askFor = 8

// talk speaks with whoever answered at an address, and closes the connection. The handshake must
// be done by the deadline of limit, all of it when ctx ends.
func (e *examination) talk(ctx, limit context.Context, f *finding, conn transport.Conn, with addr.Addr, kind channel.Kind) {
	began := time.Now()
	heard := &tap{Conn: conn}
	c := e.newConversation(limit, f, heard, with, kind)
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			c.ch.Close(errNoAnswer)
		}
		c.ch.Close(ctx.Err())
	})
	defer stop()
	err := c.ch.Run(func() error { return c.begin(ctx) })

	if c.opened.IsZero() {
		took := c.ended.Sub(began)
		f.fail(StepVersion, e.saidInstead(f, heard, err, took), took)
		return
	}
	f.ok(StepVersion, "it runs "+application(f.version.AppName, f.version.AppVersion), c.opened.Sub(began))
	took := c.ended.Sub(c.opened)
	switch {
	case c.ask == nil:
	case !c.answered:
		why := e.words(f, err, took)
		f.fail(StepAddresses, fault{"it does not tell any: " + why.detail, "It may be no seed. " + otherwise(f)}, took)
	case f.told == 0:
		f.note(StepAddresses, Warn, fault{"it knows nobody but you", "Wait for others who have the same seed, or ask a friend for an address."}, took)
	default:
		f.ok(StepAddresses, "it told "+count(f.told, "address"), took)
	}
}

func (e *examination) newConversation(limit context.Context, f *finding, conn transport.Conn, to addr.Addr, kind channel.Kind) *conversation {
	s := &e.Settings
	c := &conversation{
		finding:  f,
		identity: protocol.Identity{NodeID: s.NodeID, AppName: s.AppName, AppVersion: s.AppVersion},
		own:      s.ExternalAddrs,
		patience: s.Profile(to.Scheme()).HandshakeTimeout,
	}
	if kind == channel.Seed {
		routes := s.Routes()
		schemes := routes.Schemes(func(scheme string) bool { return e.Transports[scheme] != nil })
		schemes = slices.DeleteFunc(schemes, func(scheme string) bool { return !hosts.Shareable(scheme) })
		slices.Sort(schemes)
		c.ask = &wire.GetAddr{Max: askFor, Transports: slices.Compact(schemes)} // each once, or they may not fit
	}
	handshake := c.patience
	if deadline, ok := limit.Deadline(); ok {
		handshake = min(handshake, time.Until(deadline))
	}
	c.ch = channel.New(conn, channel.Config{
		Magic: s.MagicBytes, Kind: kind, Addr: to,
		HandshakeTimeout: handshake, WriteTimeout: s.WriteTimeout, SendQueue: s.SendQueue, MaxMessage: s.MaxMessage,
		Events: new(dnet.Bus), Log: zap.NewNop(),
	})
	return c
}

// begin subscribes to what a node may be told on such a connection, and says who we
// are.
func (c *conversation) begin(ctx context.Context) error {
	c.ch.OnEnd(func() { c.ended = time.Now() })
	ignore := func([]byte) error { return nil }
	for _, s := range []channel.Subscription{
		{Spec: wire.Ping{}.Spec(), Handle: channel.On(c.onPing)},
		{Spec: wire.Pong{}.Spec(), Handle: ignore},
		{Spec: wire.GetAddr{}.Spec(), Handle: ignore},
		{Spec: wire.Addrs{}.Spec(), Handle: channel.On(c.onAddrs)},
	} {
		if err := c.ch.Subscribe(s); err != nil {
			return err
		}
	}
	handshake, err := protocol.NewHandshake(c.ch, c.identity, c.onVersion, c.open)
	if err != nil {
		return err
	}
	endpoint := c.endpoint
	if scheme := endpoint.Scheme(); c.mixed || scheme == addr.Socks5 || scheme == addr.Socks5TLS {
		endpoint = addr.Addr{} // where our proxy is concerns nobody
	}
	return handshake.Start(ctx, endpoint, nil, nil)
}

// onVersion keeps what the other end is, also when the handshake ends on it.
func (c *conversation) onVersion(v *wire.Version) error {
	c.version, c.heard = v, time.Now()
	return nil
}

// open asks, once both sides know each other.
func (c *conversation) open(remote wire.Version) error {
	c.opened = time.Now()
	return c.ch.Open(remote, func() error {
		if c.ask == nil {
			c.ch.Close(errDone)
			return nil
		}
		patience := c.ch.AfterFunc(c.patience, func(context.Context) { c.ch.Close(errNoAnswer) })
		c.ch.OnEnd(func() { patience.Stop() })
		c.ch.Go(func(ctx context.Context) {
			if err := c.ch.Send(ctx, c.ask); err != nil {
				c.ch.Close(err)
			}
		})
		return nil
	})
}

func (c *conversation) onPing(m *wire.Ping) error {
	return c.ch.Send(context.Background(), &wire.Pong{Nonce: m.Nonce})
}

func (c *conversation) onAddrs(m *wire.Addrs) error {
	if c.ask != nil && !c.answered {
		c.answered = true
		for _, entry := range m.Entries {
			if !slices.Contains(c.own, entry.Addr) {
				c.told++
			}
		}
		c.ch.Close(errDone)
	}
	return nil
}

// tap keeps the first bytes that come.
type tap struct {
	transport.Conn
	first []byte
}

// Read implements net.Conn.
func (t *tap) Read(b []byte) (int, error) {
	const most = 16
	n, err := t.Conn.Read(b)
	t.first = append(t.first, b[:min(n, most-len(t.first))]...)
	return n, err
}

// application is what a node says it runs. It has to be escaped like all that others
// say, and is cut to a decent length.
func application(name string, version wire.Semver) string {
	return fmt.Sprintf("%.40s %.40s", name, version)
}
