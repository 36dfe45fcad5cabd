package p2p_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/dnet"
	"dchat/p2p/p2ptest"
	"dchat/p2p/session"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

var directEvents = []string{dnet.DirectConnecting, dnet.DirectConnected, dnet.DirectDisconnected}

// serving answers every connection as a good peer does, until the test ends.
func serving(t *testing.T, l transport.Listener) {
	t.Helper()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p := p2ptest.NewPeer(t, conn)
			p.Version.ConnectRecvAddr = conn.Peer()
			go func() {
				defer func() { _ = conn.Close() }()
				if p.TryWrite(append(p.Frame(&p.Version), p.Frame(&p.Verack)...)) != nil {
					return
				}
				for {
					m, err := p.TryRead()
					if err != nil {
						return
					}
					if m.Command == wire.CommandPing {
						_ = p.TryWrite(p.RawFrame(wire.CommandPong, m.Payload)) // the next read tells
					}
				}
			}()
		}
	}()
}

func TestADirectChannelIsSharedAndEndsWithItsLastUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l := listen(t, set)
		serving(t, l)
		n := newNode(t, set, refining)
		events := n.events(directEvents...)
		n.start()
		var channels [2]*channel.Channel
		var releases [2]func()
		var users sync.WaitGroup
		for i := range channels {
			users.Go(func() {
				var err error
				if channels[i], releases[i], err = n.Channel(t.Context(), l.Addr()); err != nil {
					t.Error(err)
				}
			})
		}
		users.Wait()
		if channels[0] == nil || channels[0] != channels[1] {
			t.Fatalf("two users got the channels %v and %v, want the same", channels[0], channels[1])
		}
		if k := channels[0].Kind(); k != channel.Direct || n.colour(l.Addr()) != "gold" {
			t.Errorf("it is %v, its address %s; want direct and gold", k, n.colour(l.Addr()))
		}
		releases[0]()
		releases[0]() // again does nothing
		synctest.Wait()
		if err := channels[0].Err(); err != nil {
			t.Fatalf("the first release ended it: %v", err)
		}
		releases[1]()
		synctest.Wait()
		<-time.After(time.Second)
		if channels[0].Err() == nil || n.colour(l.Addr()) != "grey" {
			t.Errorf("after the last release: %v, the address is %s; want it ended and grey", channels[0].Err(), n.colour(l.Addr()))
		}
		wantEvents(t, events(), directEvents...)
	})
}

func TestWhatCannotBeConnectedToDirectly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seed, own := addr.MustParse("tcp://127.0.0.1:7"), addr.MustParse("tcp://127.0.0.1:8")
		n := startNode(t, memory(), func(s *p2p.Settings) { s.Seeds, s.ExternalAddrs = []addr.Addr{seed}, []addr.Addr{own} })
		for _, a := range []addr.Addr{seed, own, addr.MustParse("tcp+tls://127.0.0.1:9"), addr.MustParse("quic://127.0.0.1:9")} {
			if _, _, err := n.Channel(t.Context(), a); !errors.Is(err, session.ErrNotDirect) {
				t.Errorf("%v: %v, want ErrNotDirect", a, err)
			}
		}
		events := n.events(directEvents...)
		if _, _, err := n.Channel(t.Context(), addr.MustParse("tcp://127.0.0.1:9")); err == nil {
			t.Error("connected where nobody listens")
		}
		synctest.Wait()
		if got := events(); len(got) != 2 || got[0].Name != dnet.DirectConnecting || got[1].Name != dnet.DirectDisconnected || got[1].Err == "" {
			t.Errorf("events %+v, want the attempt and why it failed", got)
		}
	})
}

func TestAUserWhoGivesUpDoesNotKeepADirectChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l := listen(t, set)
		n := startNode(t, set, refining)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		peer := make(chan *p2ptest.Peer)
		go func() { peer <- p2ptest.Accept(t, l) }()
		if _, _, err := n.Channel(ctx, l.Addr()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Channel: %v, want the deadline", err)
		}
		p := <-peer
		p.Handshake()
		p.Closed() // as nobody waits for it any more
	})
}

// A user who comes while nobody waits for the connection any more takes it over.
func TestADirectUserTakesOverWhatAnotherGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l := listen(t, set)
		n := startNode(t, set, refining)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := n.Channel(ctx, l.Addr()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Channel: %v, want the deadline", err)
		}
		serving(t, l)
		ch, release, err := n.Channel(t.Context(), l.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if <-time.After(time.Second); ch.Err() != nil {
			t.Errorf("it ended: %v", ch.Err())
		}
		release()
	})
}

func TestADirectChannelIsMadeAgainAsSoonAsItWasReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l := listen(t, set)
		serving(t, l)
		n := startNode(t, set, refining)
		var last *channel.Channel
		for range 3 {
			ch, release, err := n.Channel(t.Context(), l.Addr())
			if err != nil {
				t.Fatal(err)
			}
			if ch == last || ch.Err() != nil {
				t.Errorf("got a channel that has ended: %v", ch.Err())
			}
			last = ch
			release()
		}
	})
}

// A connection that ends since nobody uses it any more says nothing against the peer,
// however short it was.
func TestAShortUseIsNoFailureOfThePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l := listen(t, set)
		serving(t, l)
		n := startNode(t, set, refining)
		for range 6 {
			ch, release, err := n.Channel(t.Context(), l.Addr())
			if err != nil {
				t.Fatal(err)
			}
			release()
			<-ch.Done()
			<-time.After(time.Second)
		}
		if a, retry, ok := n.Hosts().Select(1); !ok || a != l.Addr() {
			t.Errorf("Select = %v, %v, %v; want what was used", a, retry, ok)
		}
	})
}

func TestADirectChannelToWhereThePeerListensEndsWithItsLastUserToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMem()
		alice, bob := quicNode(t, mem, "10.0.0.1"), quicNode(t, mem, "10.0.0.2")
		alice.start()
		bob.start()
		first, releaseFirst, err := alice.Channel(t.Context(), quicAt("10.0.0.2"))
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second) // it counts as connected
		second, releaseSecond, err := alice.Channel(t.Context(), quicAt("10.0.0.2"))
		if err != nil || second != first {
			t.Fatalf("the second user got another channel, or %v", err)
		}
		releaseFirst()
		if <-time.After(time.Second); second.Err() != nil {
			t.Errorf("the first release ended it: %v", second.Err())
		}
		releaseSecond()
		if <-time.After(time.Second); second.Err() == nil {
			t.Error("the last release did not end it")
		}
	})
}

func TestTheChannelOfAnotherSessionServesADirectUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l := listen(t, set)
		serving(t, l)
		n := startNode(t, set, withPeers(l.Addr()))
		synctest.Wait()
		ch, release, err := n.Channel(t.Context(), l.Addr())
		if err != nil {
			t.Fatal(err)
		}
		release()
		synctest.Wait()
		if ch.Kind() != channel.Manual || ch.Err() != nil {
			t.Errorf("got a %v channel, then %v; want the one of the configured peer, which stays", ch.Kind(), ch.Err())
		}
	})
}

func TestOutsideRunningThereIsNoDirectChannel(t *testing.T) {
	n := newNode(t, memory())
	if _, _, err := n.Channel(t.Context(), addr.MustParse("tcp://127.0.0.1:9")); !errors.Is(err, p2p.ErrNotRunning) {
		t.Errorf("Channel: %v, want ErrNotRunning", err)
	}
	if _, err := n.Discover(t.Context()); !errors.Is(err, p2p.ErrNotRunning) {
		t.Errorf("Discover: %v, want ErrNotRunning", err)
	}
}

func TestANodeWithoutSlotsLooksForPeersWhenAskedTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l, seed, found := listen(t, set), listen(t, set), addr.MustParse("tcp://127.0.0.1:99")
		serving(t, l)
		n := newNode(t, set, func(s *p2p.Settings) { s.Inbound, s.Seeds = nil, []addr.Addr{seed.Addr()} })
		n.hears(l.Addr())
		events := n.events(dnet.DirectDiscovery)
		n.start()
		go func() {
			p, _ := asked(t, seed)
			p.Send(&wire.Addrs{Entries: []wire.Entry{{Addr: found, LastSeen: uint64(time.Now().Unix())}}})
		}()
		heard, err := n.Discover(t.Context())
		if err != nil || heard != 1 || n.colour(found) != "grey" {
			t.Errorf("Discover = %d, %v; want the address that the seed told", heard, err)
		}
		wantEvents(t, events(), "newchan 1", "getaddr 1", "wait 1", "seed 2", "wait 2", "sleep 0")
	})
}
