package p2p_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
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

// reload applies changes to what is in effect.
func (n *node) reload(changes ...func(*p2p.Settings)) []string {
	n.t.Helper()
	s := n.Settings()
	for _, change := range changes {
		change(&s)
	}
	rest, err := n.Reload(s)
	if err != nil {
		n.t.Fatal(err)
	}
	return rest
}

// peersOf are the peers of a node that waits until nothing goes on any more.
func peersOf(n *node) (addrs []addr.Addr) {
	synctest.Wait()
	for _, ch := range n.Channels() {
		addrs = append(addrs, ch.Addr())
	}
	return addrs
}

func TestReloadChangesThePeersOfARunningNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		a, b, c := startNode(t, set).Addrs()[0], startNode(t, set).Addrs()[0], startNode(t, set).Addrs()[0]
		n := startNode(t, set, withPeers(a, b))
		if got := peersOf(n); len(got) != 2 {
			t.Fatalf("peers are %v", got)
		}
		kept := n.Channels()[slices.IndexFunc(n.Channels(), func(ch *channel.Channel) bool { return ch.Addr() == b })]
		if rest := n.reload(func(s *p2p.Settings) { s.Peers = []addr.Addr{b, c} }); rest != nil {
			t.Errorf("%q want a restart", rest)
		}
		<-time.After(10 * time.Second) // for what ends
		got := peersOf(n)
		if len(got) != 2 || !slices.Contains(got, b) || !slices.Contains(got, c) || kept.Err() != nil {
			t.Errorf("peers are %v (%v), want %v, which stays, and %v", got, kept.Err(), b, c)
		}
		if got := n.Settings().Peers; !slices.Equal(got, []addr.Addr{b, c}) {
			t.Errorf("in effect are %v", got)
		}
	})
}

func TestReloadChangesTheNumberOfSlotsOfARunningNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory())
		for _, slots := range []int{3, 1, 0, 2} {
			n.reload(func(s *p2p.Settings) { s.OutboundConnections = slots })
			synctest.Wait()
			if got := len(n.Slots()); got != slots || n.Settings().OutboundConnections != slots {
				t.Errorf("%d slots, %d in effect, want %d", got, n.Settings().OutboundConnections, slots)
			}
		}
	})
}

func TestReloadChangesTheSeedsOfARunningNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l := listen(t, set)
		n := startNode(t, set, func(s *p2p.Settings) { s.OutboundConnections = 1 })
		n.reload(func(s *p2p.Settings) { s.Seeds = []addr.Addr{l.Addr()} })
		began := time.Now()
		p2ptest.Accept(t, l).Greet()
		if took := time.Since(began); took > time.Minute {
			t.Errorf("the new seed is asked after %v", took)
		}
		if ch := n.everyKind(channel.Seed); ch != 1 {
			t.Errorf("%d channels to seeds, want one", ch)
		}
	})
}

// everyKind counts what a node logged of connections of a kind.
func (n *node) everyKind(kind channel.Kind) (count int) {
	synctest.Wait()
	for _, e := range n.logs.FilterMessage("Connected").All() {
		if e.ContextMap()["session"] == kind.String() {
			count++
		}
	}
	return count
}

func TestReloadLeavesThoseWhoAreOnTheBlacklistNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		bad, good := addr.MustParse("tcp://bad:1"), addr.MustParse("tcp://good:1")
		for _, at := range []addr.Addr{bad, good} {
			startNode(t, set, func(s *p2p.Settings) { s.Inbound = []addr.Addr{at} })
		}
		n := startNode(t, set, withPeers(bad, good))
		synctest.Wait()
		channels := n.Channels()
		if len(channels) != 2 {
			t.Fatalf("%d peers", len(channels))
		}
		n.reload(func(s *p2p.Settings) { s.Blacklist = []p2p.BlacklistEntry{{Host: "bad", Schemes: []string{"tcp"}}} })
		<-time.After(time.Minute) // long enough to come again
		for _, ch := range channels {
			if ch.Addr() == bad && !errors.Is(ch.Err(), p2p.ErrBlacklisted) || ch.Addr() == good && ch.Err() != nil {
				t.Errorf("%v: %v", ch.Addr(), ch.Err())
			}
		}
		if got := peersOf(n); !slices.Equal(got, []addr.Addr{good}) {
			t.Errorf("peers are %v", got)
		}
	})
}

func TestReloadOfANodeThatDoesNotRunIsForItsNextStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		a, b := startNode(t, set).Addrs()[0], startNode(t, set).Addrs()[0]
		n := newNode(t, set)
		n.reload(withPeers(a), func(s *p2p.Settings) { s.OutboundConnections, s.Inbound = 2, n.Settings().Inbound })
		n.start()
		if got := peersOf(n); !slices.Equal(got, []addr.Addr{a}) || len(n.Slots()) != 2 {
			t.Errorf("peers are %v in %d slots", got, len(n.Slots()))
		}
		n.stop()
		n.reload(func(s *p2p.Settings) { s.Peers, s.OutboundConnections = []addr.Addr{b}, 1 })
		n.start()
		if got := peersOf(n); !slices.Equal(got, []addr.Addr{b}) || len(n.Slots()) != 1 {
			t.Errorf("started again, peers are %v in %d slots", got, len(n.Slots()))
		}
	})
}

func TestReloadNamesWhatWaitsForARestart(t *testing.T) {
	n := newNode(t, memory())
	was := n.Settings()
	change := func(s *p2p.Settings) {
		s.NodeID, s.BanTime = "me", time.Hour
		s.Inbound = append(s.Inbound, addr.MustParse("tcp://127.0.0.1:0"))
		s.GetAddrsMax = new(uint32(4))
		s.Profiles["tcp"] = p2p.DefaultProfile("tor")
		s.Peers = []addr.Addr{addr.MustParse("tcp://127.0.0.1:1")}
		s.MixedProfiles = []string{} // as good as none
	}
	want := []string{"NodeID", "Inbound", "Profiles", "GetAddrsMax", "BanTime"}
	for range 2 { // it does not wait any less when it is said again
		s := was
		s.Profiles = map[string]p2p.Profile{"tcp": was.Profile("tcp")}
		change(&s)
		if got, err := n.Reload(s); !slices.Equal(got, want) || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	was.Peers = []addr.Addr{addr.MustParse("tcp://127.0.0.1:1")}
	if got := n.Settings(); !reflect.DeepEqual(got, was) {
		t.Errorf("in effect is\n%+v\nwant\n%+v", got, was)
	}
}

func TestReloadOfSettingsWithAFaultChangesNothing(t *testing.T) {
	n := startNode(t, memory())
	was := n.Settings()
	s := n.Settings()
	s.OutboundConnections, s.Peers, s.Blacklist = 5, []addr.Addr{addr.MustParse("tcp://127.0.0.1:1")}, []p2p.BlacklistEntry{{Host: ""}}
	_, err := n.Reload(s)
	var fault *p2p.SettingError
	if !errors.As(err, &fault) || fault.Field != "Blacklist" {
		t.Errorf("got %v", err)
	}
	if got := n.Settings(); !reflect.DeepEqual(got, was) || len(n.Slots()) != 0 {
		t.Errorf("in effect is\n%+v\nwant\n%+v", got, was)
	}
}

// L9: for the race detector, and for what locks one another.
func TestL9ReloadWhileEverythingElseGoesOn(t *testing.T) {
	set := transport.Set{addr.TCP: transport.NewMem()}
	peer := startNode(t, set).Addrs()[0]
	n := newNode(t, set)
	var work sync.WaitGroup
	defer work.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	for _, do := range []func(){
		func() {
			n.reload(func(s *p2p.Settings) { s.Peers, s.OutboundConnections = []addr.Addr{peer}, 3 })
		},
		func() {
			n.reload(func(s *p2p.Settings) { s.Peers, s.Seeds, s.OutboundConnections = nil, []addr.Addr{peer}, 0 })
		},
		func() { _, _, _ = n.Settings(), n.Slots(), n.Addrs() },
		func() { _, _ = n.Broadcast(&text{"x"}) },
		func() {
			if err := n.Start(t.Context()); err != nil && !errors.Is(err, p2p.ErrStarted) && !errors.Is(err, p2p.ErrStartCancelled) {
				t.Error(err)
			}
			if err := n.Stop(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		},
	} {
		work.Go(func() {
			for ctx.Err() == nil {
				do()
			}
		})
	}
}
