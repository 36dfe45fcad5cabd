package p2p_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/p2ptest"
	"dchat/p2p/transport"
)

// dials is a network that remembers when somebody dialled.
type dials struct {
	transport.Transport
	mu sync.Mutex
	at []time.Time
}

func (d *dials) Dial(ctx context.Context, a addr.Addr) (transport.Conn, error) {
	d.mu.Lock()
	d.at = append(d.at, time.Now())
	d.mu.Unlock()
	return d.Transport.Dial(ctx, a)
}

// pauses returns the times between one dial and the next.
func (d *dials) pauses() []time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	var pauses []time.Duration
	for i := 1; i < len(d.at); i++ {
		pauses = append(pauses, d.at[i].Sub(d.at[i-1]))
	}
	return pauses
}

func TestAPeerThatIsAwayIsTriedForEverAtGrowingIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &dials{Transport: transport.NewMem()}
		startNode(t, transport.Set{addr.TCP: network}, withPeers(addr.MustParse("tcp://127.0.0.1:7")))
		<-time.After(time.Hour)
		pauses := network.pauses()
		limits := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}
		different := make(map[time.Duration]bool)
		for i, pause := range pauses {
			most := 15 * time.Second // the connect timeout
			if i < len(limits) {
				most = limits[i]
			}
			if pause < most/2 || pause > most {
				t.Errorf("pause %d is %v, want %v to %v", i, pause, most/2, most)
			}
			different[pause] = true
		}
		if len(pauses) < 240 || len(pauses) > 480 {
			t.Errorf("%d attempts in an hour, want 240 to 480", len(pauses))
		}
		if len(different) < len(pauses)/2 {
			t.Errorf("only %d of %d pauses differ, want them spread at random", len(different), len(pauses))
		}
	})
}

// pauseAfter returns how long the node waits until it connects again.
func pauseAfter(t *testing.T, l transport.Listener) (pause time.Duration, p *p2ptest.Peer) {
	t.Helper()
	ended := time.Now()
	p = p2ptest.Accept(t, l)
	return time.Since(ended), p
}

func TestOnlyAConnectionThatLastedMakesTheNextRetryQuick(t *testing.T) {
	for _, c := range []struct {
		name  string
		play  func(*p2ptest.Peer)
		quick bool
	}{
		{"a good one of 3 s", func(p *p2ptest.Peer) { p.Greet(); <-time.After(3 * time.Second) }, true},
		{"a good one of 1 s", func(p *p2ptest.Peer) { p.Greet(); <-time.After(time.Second) }, false},
		{"a handshake that never ends", func(p *p2ptest.Peer) { p.Closed() }, false},
		{"a handshake that is refused", func(p *p2ptest.Peer) { p.Verack.AppName = "other"; p.Send(&p.Version, &p.Verack); p.Closed() }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				set := memory()
				l := listen(t, set)
				startNode(t, set, withPeers(l.Addr()))
				for range 6 { // the pauses grow to their greatest
					p := p2ptest.Accept(t, l)
					p.Close(false)
				}
				p := p2ptest.Accept(t, l)
				c.play(p)
				p.Close(false)
				if pause, _ := pauseAfter(t, l); (pause <= time.Second) != c.quick {
					t.Errorf("the next attempt came after %v, quick: want %v", pause, c.quick)
				}
			})
		})
	}
}

func TestAConfiguredPeerIsBackWithinASecondOfItsReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		server := startNode(t, set)
		at := server.Addrs()
		client := startNode(t, set, withPeers(at...))
		<-time.After(time.Minute)
		server.stop()
		start := time.Now()
		server = startNode(t, set, func(s *p2p.Settings) { s.Inbound = at })
		for len(server.Channels()) == 0 {
			<-time.After(10 * time.Millisecond)
		}
		if took := time.Since(start); took > time.Second+20*time.Millisecond {
			t.Errorf("the client was back after %v", took)
		}
		client.broadcast("back", 1)
		if got := server.text(); got != "back" {
			t.Errorf("received %q", got)
		}
	})
}

func TestPeersThatCannotBeDialledAreLeftOutWithAWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l := listen(t, set)
		n := startNode(t, set, withPeers(addr.MustParse("quic://127.0.0.1:7"), addr.MustParse("tcp+tls://127.0.0.1:7"), l.Addr()))
		p2ptest.Accept(t, l).Greet()
		<-time.After(time.Minute)
		if got := n.logs.FilterMessage("Peer left out: it cannot be dialled").Len(); got != 2 {
			t.Errorf("%d warnings, want 2 in all", got)
		}
	})
}

func TestAConfiguredPeerThatHangsHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		nowhere := addr.MustParse("tcp://127.0.0.9:9")
		set[addr.TCP] = &blackHole{set[addr.TCP], nowhere}
		silent, good := listen(t, set), listen(t, set)
		startNode(t, set, withPeers(nowhere, silent.Addr(), good.Addr()))
		start := time.Now()
		p2ptest.Accept(t, silent)
		p2ptest.Accept(t, good).Greet()
		if took := time.Since(start); took > 0 {
			t.Errorf("the good peer was greeted after %v", took)
		}
	})
}

func TestH8TwoNodesThatDialEachOtherAreConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := addr.MustParse("tcp://127.0.0.1:7001"), addr.MustParse("tcp://127.0.0.1:7002")
		each := func(own, other addr.Addr) func(*p2p.Settings) {
			return func(s *p2p.Settings) { s.Inbound, s.Peers = []addr.Addr{own}, []addr.Addr{other} }
		}
		for range 100 {
			set := memory()
			one, two := newNode(t, set, each(a, b)), newNode(t, set, each(b, a))
			var start sync.WaitGroup
			for _, n := range []*node{one, two} {
				start.Go(func() {
					if err := n.Start(t.Context()); err != nil {
						t.Errorf("start: %v", err)
					}
				})
			}
			start.Wait()
			<-time.After(5 * time.Second)
			if len(one.Channels()) == 0 || len(two.Channels()) == 0 {
				t.Errorf("after 5s they have %d and %d channels", len(one.Channels()), len(two.Channels()))
			}
			one.stop()
			two.stop()
		}
	})
}

func TestTheSessionOfAChannelAndTheAddressItsPeerIsKnownBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		server := startNode(t, set)
		client := startNode(t, set, withPeers(server.Addrs()...))
		in, out := server.channel(), client.channel()
		if in.Kind() != channel.Inbound || out.Kind() != channel.Manual {
			t.Errorf("the sessions are %v and %v", in.Kind(), out.Kind())
		}
		synctest.Wait()
		if out.Addr() != server.Addrs()[0] || in.Addr() != out.Remote().ConnectRecvAddr {
			t.Errorf("the peers are known by %v and %v", out.Addr(), in.Addr())
		}
	})
}
