package p2p_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/hosts"
	"dchat/p2p/p2ptest"
	"dchat/p2p/session"
	"dchat/p2p/transport"
	"dchat/p2p/transport/transporttest"
)

// late is a network in which it takes a while to connect.
type late struct{ transport.Transport }

func (l late) Dial(ctx context.Context, a addr.Addr) (transport.Conn, error) {
	select {
	case <-time.After(9 * time.Second):
		return l.Transport.Dial(ctx, a)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// tarpit accepts connections on tcp, says nothing, and returns where.
func tarpit(t *testing.T, set transport.Set) addr.Addr {
	t.Helper()
	return swallow(t, listen(t, set))
}

func swallow(t *testing.T, l transport.Listener) addr.Addr {
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_ = transport.Handshake(t.Context(), conn) // the dialler gives up first, maybe
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			}()
		}
	}()
	return l.Addr()
}

func TestH11ATarpitHoldsASlotForTheConnectTimeoutAtMost(t *testing.T) {
	for _, c := range []struct {
		name string
		at   func(*testing.T, transport.Set) addr.Addr
		want time.Duration
	}{
		{"no connection", func(_ *testing.T, set transport.Set) addr.Addr {
			nowhere := addr.MustParse("tcp://127.0.0.9:9")
			set[addr.TCP] = &blackHole{set[addr.TCP], nowhere}
			return nowhere
		}, 15 * time.Second},
		{"no TLS", func(t *testing.T, set transport.Set) addr.Addr {
			a, _ := tarpit(t, set).WithScheme(addr.TCPTLS)
			return a
		}, 15 * time.Second},
		{"no version over tcp", tarpit, 10 * time.Second},
		{"no version over tcp+tls", func(t *testing.T, set transport.Set) addr.Addr {
			l, err := set.Listen(t.Context(), addr.MustParse("tcp+tls://127.0.0.1:0"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			return swallow(t, l)
		}, 10 * time.Second},
		{"no version after a late connection", func(t *testing.T, set transport.Set) addr.Addr {
			a := tarpit(t, set)
			set[addr.TCP] = late{set[addr.TCP]}
			return a
		}, 15 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				set := withTLS()
				a := c.at(t, set)
				n := startNode(t, set, slots(1), func(s *p2p.Settings) { s.ActiveProfiles = []string{addr.TCP, addr.TCPTLS} })
				synctest.Wait()
				n.hears(a)
				synctest.Wait()
				start := time.Now()
				for n.Slots()[0].State == session.SlotConnecting && time.Since(start) < time.Minute {
					<-time.After(10 * time.Millisecond)
				}
				if took := time.Since(start); took < c.want-10*time.Millisecond || took > c.want+500*time.Millisecond {
					t.Errorf("the slot was free after %v, want %v", took, c.want)
				}
			})
		})
	}
}

func TestH11TarpitsDoNotStopTheRefinery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		trap, good, friend := tarpit(t, set), listen(t, set), listen(t, set)
		serving(t, good)
		serving(t, friend)
		aliases(set, trap, good.Addr())
		n := startNode(t, set, refining, withPeers(friend.Addr()))
		synctest.Wait()
		const each = 10
		for i := range each { // the same two listeners under many addresses
			n.hears(addr.MustParse(fmt.Sprintf("tcp://127.0.1.%d:%d", i+1, mustPort(trap))))
			n.hears(addr.MustParse(fmt.Sprintf("tcp://127.0.2.%d:%d", i+1, mustPort(good.Addr()))))
		}
		start := time.Now()
		for n.Hosts().Len(hosts.White) < each && time.Since(start) < time.Hour {
			<-time.After(time.Second)
		}
		if took := time.Since(start); took > 2*each*20*time.Second {
			t.Errorf("%d of %d good addresses were found in %v, want one candidate each 20s", n.Hosts().Len(hosts.White), each, took)
		}
	})
}

// aliases makes every host of the network lead to the listeners on these ports.
func aliases(set transport.Set, to ...addr.Addr) {
	set[addr.TCP] = &aliased{set[addr.TCP], to}
}

type aliased struct {
	transport.Transport
	to []addr.Addr
}

func (n *aliased) Dial(ctx context.Context, a addr.Addr) (transport.Conn, error) {
	for _, to := range n.to {
		if mustPort(to) == mustPort(a) {
			return n.Transport.Dial(ctx, to)
		}
	}
	return n.Transport.Dial(ctx, a)
}

func TestA7ANameThatOthersToldLeadsNowhereButIntoTheInternet(t *testing.T) {
	tcp := &transport.TCP{Resolver: transporttest.Resolver(t, "127.0.0.1", "::1")}
	l := listen(t, transport.Set{addr.TCP: tcp})
	name := addr.MustParse(fmt.Sprintf("tcp://node.example.org:%d", mustPort(l.Addr())))
	n := startNode(t, transport.Set{addr.TCP: tcp}, slots(1), func(s *p2p.Settings) { s.Localnet, s.DialNames = false, true })
	n.hears(name)
	eventually(t, "the name was tried", func() bool { return len(n.Slots()) > 0 && n.Slots()[0].Err != nil })
	if err := n.Slots()[0].Err; !errors.Is(err, session.ErrNotGlobal) {
		t.Errorf("the slot says %v, want %v", err, session.ErrNotGlobal)
	}
	n.stop()
	_ = l.Close() // what was connected before is accepted before
	if conn, err := l.Accept(); err == nil {
		t.Error("the node connected")
		_ = conn.Close()
	}
}

func TestA7WhatTheOperatorNamesMayBePrivate(t *testing.T) {
	for name, change := range map[string]func(*p2p.Settings, addr.Addr){
		"a peer": func(s *p2p.Settings, a addr.Addr) { s.Peers = []addr.Addr{a} },
		"a seed": func(s *p2p.Settings, a addr.Addr) { s.Seeds, s.OutboundConnections = []addr.Addr{a}, 1 },
		"a name on a local network": func(s *p2p.Settings, a addr.Addr) {
			s.Localnet, s.DialNames, s.OutboundConnections = true, true, 1
		},
	} {
		t.Run(name, func(t *testing.T) {
			set := transport.Set{addr.TCP: &transport.TCP{Resolver: transporttest.Resolver(t, "127.0.0.1")}}
			l := listen(t, set)
			a := addr.MustParse(fmt.Sprintf("tcp://node.example.org:%d", mustPort(l.Addr())))
			n := startNode(t, set, withPeers(), func(s *p2p.Settings) {
				s.Localnet = false
				change(s, a)
			})
			if n.Settings().Localnet {
				n.hears(a)
			}
			p2ptest.Accept(t, l).Handshake()
		})
	}
}

func TestN7ANodeStartsAndConnectsWhateverHappensToNames(t *testing.T) {
	for name, resolver := range map[string]*net.Resolver{
		"no such name":     transporttest.Resolver(t),
		"the wrong family": transporttest.Resolver(t, "100::1"),
		"no answer": {PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}},
		"a server that fails": {PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, syscall.ECONNREFUSED
		}},
	} {
		t.Run(name, func(t *testing.T) {
			set := transport.Set{addr.TCP: &transport.TCP{Resolver: resolver}}
			peer, seed := listen(t, set), listen(t, set)
			n := newNode(t, set, slots(1), func(s *p2p.Settings) {
				s.Seeds = []addr.Addr{addr.MustParse("tcp://seed.example.org:1"), seed.Addr()}
				for i := range 6 {
					s.Peers = append(s.Peers, addr.MustParse(fmt.Sprintf("tcp://peer%d.example.org:1", i)))
				}
				s.Peers = append(s.Peers, peer.Addr())
			})
			start := time.Now()
			n.start()
			if took := time.Since(start); took > time.Second {
				t.Errorf("Start took %v", took)
			}
			p2ptest.Accept(t, peer).Handshake()
			p2ptest.Accept(t, seed).Handshake()
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("those that need no name were connected after %v", took)
			}
		})
	}
}
