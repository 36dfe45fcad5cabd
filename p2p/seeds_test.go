package p2p_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/dnet"
	"dchat/p2p/p2ptest"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// asking makes the node look for one peer by asking seeds.
func asking(seeds ...addr.Addr) func(*p2p.Settings) {
	return func(s *p2p.Settings) { s.Inbound, s.OutboundConnections, s.Seeds = nil, 1, seeds }
}

// asked takes the connection of a node that asks, up to its question.
func asked(t *testing.T, l transport.Listener) (p *p2ptest.Peer, question wire.GetAddr) {
	t.Helper()
	p = p2ptest.Accept(t, l)
	p.Handshake()
	p.Expect(&question)
	return p, question
}

func TestAllSeedsAreAskedAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		began := time.Now()
		var seeds []addr.Addr
		var listeners []transport.Listener
		for range 5 {
			l := listen(t, set)
			listeners, seeds = append(listeners, l), append(seeds, l.Addr())
		}
		startNode(t, set, asking(seeds...))
		for _, l := range listeners {
			asked(t, l)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("the last was asked after %v, want all at once", took)
		}
	})
}

func TestASeedIsToldOurAddressAskedAndLeftWithItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		seed, other := listen(t, set), listen(t, set)
		own := addr.MustParse("tcp://127.0.0.1:7?secret=1")
		n := newNode(t, set, asking(seed.Addr()), func(s *p2p.Settings) { s.ExternalAddrs = []addr.Addr{own} })
		n.start()
		peer := p2ptest.Accept(t, seed)
		peer.Handshake()
		var told wire.Addrs
		peer.Expect(&told)
		if len(told.Entries) != 1 || told.Entries[0].Addr != own.Public() || told.Entries[0].LastSeen != uint64(time.Now().Unix()) {
			t.Errorf("told %+v, want our address without its query, seen now", told.Entries)
		}
		var question wire.GetAddr
		peer.Expect(&question)
		if question.Max != 1 || !slices.Equal(question.Transports, []string{addr.TCP}) {
			t.Errorf("asked %+v, want as many as there are slots, of what can be dialled", question)
		}
		peer.Send(&wire.Addrs{Entries: []wire.Entry{{Addr: other.Addr(), LastSeen: uint64(time.Now().Unix())}}})
		peer.Closed()
		p2ptest.Accept(t, other).Greet() // what is learnt is dialled at once
	})
}

func TestAnAnswerBeforeTheQuestionCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		seed, other := listen(t, set), listen(t, set)
		startNode(t, set, asking(seed.Addr()))
		peer := p2ptest.Accept(t, seed)
		peer.Send(&wire.Addrs{Entries: []wire.Entry{{Addr: other.Addr(), LastSeen: uint64(time.Now().Unix())}}})
		peer.Handshake()
		peer.Closed()
		p2ptest.Accept(t, other)
	})
}

func TestASeedThatSendsNoAddressesIsLeftAfterTheHandshakeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l := listen(t, set)
		n := startNode(t, set, asking(l.Addr()))
		peer, _ := asked(t, l)
		asked := time.Now()
		peer.Closed()
		peer.Close(false)
		if took := time.Since(asked); took != 10*time.Second {
			t.Errorf("left after %v, want 10s", took)
		}
		synctest.Wait()
		if got := n.logs.FilterMessage("Asking a seed failed; it is asked again later").Len(); got != 1 {
			t.Errorf("%d warnings in the log, want one", got)
		}
	})
}

// seedAttempts runs a node against a seed for a time and returns when it asked.
func seedAttempts(t *testing.T, d time.Duration, answer func(*p2ptest.Peer)) (at []time.Duration) {
	t.Helper()
	set := memory()
	l := listen(t, set)
	began := time.Now()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			at = append(at, time.Since(began))
			p := p2ptest.NewPeer(t, conn)
			go answer(p)
		}
	}()
	startNode(t, set, asking(l.Addr()))
	<-time.After(d)
	synctest.Wait()
	return at
}

func TestSeedsAreAskedAgainAtGrowingIntervalsWhileNothingIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := seedAttempts(t, 10*time.Minute, func(p *p2ptest.Peer) { _ = p.Conn().Close() })
		wants := []time.Duration{1, 2, 4, 8, 16, 30, 30, 30}
		for i, want := range wants {
			pause, least := at[i+1]-at[i], want*time.Second
			if most := least + least/5; pause < least || pause > most {
				t.Errorf("pause %d is %v, want %v to %v", i, pause, least, most)
			}
		}
	})
}

// N10: seeds that are down for an hour are not stormed.
func TestN10SeedsThatAreDownAreAskedEveryHalfMinuteAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := seedAttempts(t, time.Hour, func(p *p2ptest.Peer) { _ = p.Conn().Close() })
		if len(at) > 120 || len(at) < 60 {
			t.Errorf("%d attempts in an hour, want at most one in 30 s, and not much less", len(at))
		}
	})
}

func TestPeersAreAskedTwiceBeforeTheSeedsAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		seed, other := listen(t, set), listen(t, set)
		go func() {
			for {
				conn, err := seed.Accept()
				if err != nil {
					return
				}
				_ = conn.Close()
			}
		}()
		n := newNode(t, set, slots(2), func(s *p2p.Settings) { s.Seeds = []addr.Addr{seed.Addr()} })
		events := n.events(dnet.OutboundDiscovery)
		n.start()
		n.hears(other.Addr())
		peer := p2ptest.Accept(t, other)
		peer.Greet()
		go func() {
			for {
				m, err := peer.TryRead()
				if err != nil {
					return
				}
				if m.Command == wire.CommandPing {
					_ = peer.TryWrite(peer.RawFrame(wire.CommandPong, m.Payload))
				}
			}
		}()
		<-time.After(5 * time.Minute)
		synctest.Wait()
		got := describe(events())
		// After the eager beginning: peers, peers, seeds.
		var asked []string
		for _, e := range got[len(got)-18:] {
			if state, _, _ := strings.Cut(e, " "); state != "wait" {
				asked = append(asked, state)
			}
		}
		if order := strings.Join(asked, " "); !strings.Contains(order, "getaddr getaddr seed getaddr getaddr seed") {
			t.Errorf("asked %s", order)
		}
		_ = peer.Conn().Close()
		n.stop()
	})
}

func TestANodeWithAllItsSlotsFilledAsksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		seed, other := &dials{Transport: set[addr.TCP]}, listen(t, set)
		n := newNode(t, transport.Set{addr.TCP: seed}, asking(addr.MustParse("tcp://127.0.0.1:7")))
		n.hears(other.Addr())
		n.start()
		p2ptest.Accept(t, other).Greet()
		<-time.After(10 * time.Second)
		if got := len(seed.pauses()) + 1; got != 1 {
			t.Errorf("%d dials, want the one of the slot", got)
		}
	})
}
