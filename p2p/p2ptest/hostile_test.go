package p2ptest_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/p2ptest"
	"dchat/p2p/session"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// crowd runs goroutines until the test ends.
type crowd struct {
	ctx      context.Context
	all      sync.WaitGroup
	answered atomic.Uint32 // questions for addresses
}

func (w *world) crowd() *crowd {
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	c := &crowd{ctx: ctx}
	w.t.Cleanup(func() {
		cancel()
		c.all.Wait()
	})
	return c
}

// serve has a peer at an address for each connection that is made to it.
func (c *crowd) serve(w *world, at addr.Addr, talk func(*p2ptest.Peer)) addr.Addr {
	w.t.Helper()
	ip, _ := at.IP()
	l, err := w.From(ip).Listen(c.ctx, at)
	if err != nil {
		w.t.Fatal(err)
	}
	context.AfterFunc(c.ctx, func() { _ = l.Close() })
	c.all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.all.Go(func() { c.run(w, conn, talk) })
		}
	})
	return at
}

// run talks over a connection, until the talk or the test ends.
func (c *crowd) run(w *world, conn transport.Conn, talk func(*p2ptest.Peer)) {
	stop := context.AfterFunc(c.ctx, func() { _ = conn.Close() })
	defer stop()
	defer conn.Close() //nolint:errcheck // the other end may have done so
	p := p2ptest.NewPeer(w.t, conn)
	p.Version.ConnectRecvAddr, p.Version.ResolveRecvAddr = conn.Peer(), conn.Peer()
	talk(p)
}

// answers is a peer that shakes hands, answers pings and, with the messages, every
// question for addresses.
func (c *crowd) answers(messages ...wire.Message) func(*p2ptest.Peer) {
	return func(p *p2ptest.Peer) {
		frames := slices.Concat(p.Frame(&p.Version), p.Frame(&p.Verack))
		for p.TryWrite(frames) == nil {
			m, err := p.TryRead()
			if err != nil {
				return
			}
			frames = nil
			switch m.Command {
			case wire.CommandPing:
				frames = p.RawFrame(wire.CommandPong, m.Payload)
			case wire.CommandGetAddr:
				c.answered.Add(1)
				for _, answer := range messages {
					frames = append(frames, p.Frame(answer)...)
				}
			}
		}
	}
}

// silent is a peer that only listens.
func silent(p *p2ptest.Peer) {
	for {
		if _, err := p.TryRead(); err != nil {
			return
		}
	}
}

func told(addrs ...addr.Addr) *wire.Addrs {
	m := &wire.Addrs{}
	for _, a := range addrs {
		m.Entries = append(m.Entries, wire.Entry{Addr: a, LastSeen: uint64(time.Now().Unix())})
	}
	return m
}

func TestA12SeedsThatLie(t *testing.T) {
	type liar = func(w *world, c *crowd) addr.Addr
	// Addresses of nodes of the attacker's, which behave, in as many subnets as there
	// are slots.
	own := func(w *world, c *crowd) addr.Addr {
		var addrs []addr.Addr
		for range 8 {
			ip, _ := w.Dead().IP()
			for range 12 {
				ip = ip.Next()
				at := addr.FromIP(addr.TCP, netip.AddrPortFrom(ip, 26661))
				addrs = append(addrs, c.serve(w, at, c.answers(told())))
			}
		}
		return c.serve(w, w.Dead(), c.answers(told(addrs...)))
	}
	dead := func(w *world, c *crowd) addr.Addr {
		var addrs []addr.Addr
		for range 500 {
			addrs = append(addrs, w.Dead())
		}
		return c.serve(w, w.Dead(), c.answers(told(addrs...)))
	}
	nothing := func(w *world, c *crowd) addr.Addr { return c.serve(w, w.Dead(), c.answers(told())) }
	noAnswer := func(w *world, c *crowd) addr.Addr { return c.serve(w, w.Dead(), c.answers()) }
	stalls := func(w *world, c *crowd) addr.Addr { return c.serve(w, w.Dead(), silent) }
	for name, liars := range map[string][2]liar{
		"nothing but addresses of the attacker's": {own, nothing},
		"addresses of two attackers":              {own, own},
		"nothing but addresses with nobody":       {dead, dead},
		"no address":                              {nothing, nothing},
		"no answer":                               {noAnswer, noAnswer},
		"no handshake":                            {stalls, stalls},
		"addresses of the attacker's and silence": {own, stalls},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, usual)
				w.seed()
				w.grow(20)
				w.within(30*time.Second, outboundTarget, w.members...)
				<-time.After(time.Minute) // the seed gets to know them
				members := addresses(w.members)
				honest := func(n *p2ptest.Node) (count int) {
					for _, s := range n.Slots() {
						if s.State == session.SlotConnected && slices.Contains(members, s.Addr) {
							count++
						}
					}
					return count
				}
				c := w.crowd()
				newcomer := w.member(func(s *p2p.Settings) {
					s.Seeds = append(s.Seeds, liars[0](w, c), liars[1](w, c))
				})
				w.start(newcomer)
				began := time.Now()
				for honest(newcomer) == 0 {
					if time.Since(began) > time.Minute {
						t.Fatalf("no connection to an honest node after a minute: %s", w.describe([]*p2ptest.Node{newcomer}, outboundTarget))
					}
					<-time.After(10 * time.Millisecond)
				}
				t.Logf("connected to an honest node after %v", time.Since(began))
				<-time.After(time.Minute - time.Since(began))
				if c.answered.Load() == 0 && !strings.Contains(name, "handshake") {
					t.Error("nobody asked the seeds that lie")
				}
				t.Logf("after a minute %d of its %d connections are to honest nodes", honest(newcomer), connected(newcomer))
			})
		})
	}
}

func TestB4AFloodMakesHonestNodesBanNobodyHonest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, usual)
		w.seed()
		w.grow(10)
		w.within(30*time.Second, outboundTarget, w.members...)
		c := w.crowd()
		const attackers = 5
		var hosts atomic.Uint32
		connections := 0
		for range attackers {
			for _, n := range w.members {
				c.all.Go(func() {
					for c.ctx.Err() == nil {
						i := hosts.Add(1) // each time from another one, since some are banned
						ip := netip.AddrFrom4([4]byte{byte(110 + i>>16), byte(i >> 8), byte(i), 1})
						if conn, err := w.From(ip).Dial(c.ctx, n.Addr()); err == nil {
							c.run(w, conn, func(p *p2ptest.Peer) { flood(c.ctx, w, p, i%2 == 0) })
						}
						pause(c.ctx, 10*time.Second)
					}
				})
			}
		}
		<-time.After(10 * time.Minute)
		for _, d := range w.dials() {
			if d.From.As4()[0] >= 110 && d.Err == nil {
				connections++
			}
		}
		honest := addresses(w.members)
		for _, n := range w.members {
			for _, ban := range n.Hosts().Bans() {
				if slices.ContainsFunc(honest, func(a addr.Addr) bool { return a.Hostname() == ban.Host || a.String() == ban.Host }) {
					t.Errorf("%v has banned %s: %s", n.Addr(), ban.Host, ban.Reason)
				}
			}
		}
		if connections < attackers*len(w.members) {
			t.Errorf("the attackers made %d connections only", connections)
		}
		t.Logf("%d connections of attackers, %d bans of theirs", connections, bans(w.members...))
		w.within(time.Second, outboundTarget, w.members...)
	})
}

// flood says everything that makes a node speak, with addresses that make it tell
// others and dial them: as often as the rules allow, or twenty times a second.
func flood(ctx context.Context, w *world, p *p2ptest.Peer, within bool) {
	interval := 50 * time.Millisecond
	if within {
		interval = 3 * time.Second
	}
	go silent(p) // until the connection ends
	frames := slices.Concat(p.Frame(&p.Version), p.Frame(&p.Verack))
	for p.TryWrite(frames) == nil && pause(ctx, interval) {
		var addrs []addr.Addr
		for _, n := range w.members {
			addrs = append(addrs, n.Addr(), w.Dead())
		}
		frames = slices.Concat(
			p.Frame(told(addrs...)),
			p.Frame(&wire.GetAddr{Max: 1000, Transports: []string{addr.TCP}}),
			p.Frame(&wire.Ping{Nonce: 1}),
		)
	}
}

// pause waits and reports whether ctx let it.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
