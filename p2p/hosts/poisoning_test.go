package hosts_test

import (
	"fmt"
	"math"
	"testing"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
	"dchat/p2p/wire"
)

// honest tells 2,000 addresses by 40 peers in 40 networks, one to a subnet.
func honest(t testing.TB, h *hosts.Hosts) (all []addr.Addr) {
	t.Helper()
	for peer := range 40 {
		for i := range 50 {
			a := ad("tcp://%d.%d.%d.1:26", 100-peer, 1+i, 7)
			tell(h, stranger(10_000+peer), a)
			all = append(all, a)
		}
	}
	if h.Len(hosts.Grey) != 2000 {
		t.Fatalf("%d honest addresses are kept to begin with", h.Len(hosts.Grey))
	}
	return all
}

func kept(h *hosts.Hosts, all []addr.Addr) (n int) {
	for _, a := range all {
		if _, ok := h.ColourOf(a); ok {
			n++
		}
	}
	return n
}

// lies are addresses of one per subnet that nobody else tells.
func lies(from, n int) (all []addr.Addr) {
	for i := from; i < from+n; i++ {
		all = append(all, ad("tcp://%d.%d.%d.9:1", 150+i/62500, 1+i/250%250, 1+i%250))
	}
	return all
}

func TestA1OneMessageOfLiesDoesNotDisplaceTheTruth(t *testing.T) {
	for name, lie := range map[string]func(i int) addr.Addr{
		"one address each":    func(i int) addr.Addr { return lies(i, 1)[0] },
		"ports of one IP":     func(i int) addr.Addr { return ad("tcp://150.1.1.1:%d", 1+i) },
		"names":               func(i int) addr.Addr { return ad("tcp://n%d.example.com:1", i) },
		"hosts of one subnet": func(i int) addr.Addr { return ad("tcp://150.1.1.%d:%d", 1+i%250, 1+i/250) },
	} {
		t.Run(name, func(t *testing.T) {
			h := book(t, nil)
			truth := honest(t, h)
			var message []wire.Entry
			for i := range 2417 {
				message = append(message, wire.Entry{Addr: lie(i), LastSeen: math.MaxUint64})
			}
			h.Heard(stranger(1), message)
			if n := kept(h, truth); n < 1900 {
				t.Errorf("%d of 2,000 honest addresses are left, want 95 %%", n)
			}
			if n := h.Len(hosts.Grey) - kept(h, truth); n < 1 || n > 64 {
				t.Errorf("%d lies are kept, want 1 to 64", n)
			}
		})
	}
}

func TestA2ManyPeersOfOneNetworkTellNoMoreThanOne(t *testing.T) {
	for name, truth := range map[string]func(testing.TB, *hosts.Hosts) []addr.Addr{
		"a full list":   honest,
		"an empty list": func(testing.TB, *hosts.Hosts) []addr.Addr { return nil },
	} {
		h := book(t, nil)
		truth := truth(t, h)
		for i := range 1000 {
			tell(h, ad("tcp://77.7.%d.%d:1", i/250, 1+i%250), lies(20*i, 10)...)
			tell(h, ad("tcp://[2a00:1:%x::1]:1", i), lies(20*i+10, 10)...)
		}
		if n := h.Len(hosts.Grey) - kept(h, truth); n < 1 || n > 2*2000/32 {
			t.Errorf("%s: %d lies of a /16 and a /32 are kept, want 1 to 62 of each", name, n)
		}
		if n := kept(h, truth); n < len(truth)*95/100 {
			t.Errorf("%s: %d of %d honest addresses are left", name, n, len(truth))
		}
	}
}

// The same from an empty list: who comes later still finds room.
func TestWhoTellsMostLosesFirst(t *testing.T) {
	h := book(t, nil)
	for group := range 40 {
		for peer := range 2 {
			tell(h, ad("tcp://77.%d.%d.1:1", 1+group, peer), lies(100*(2*group+peer), 100)...)
		}
	}
	if n := h.Len(hosts.Grey); n != 2000 {
		t.Fatalf("%d lies are kept to begin with", n)
	}
	var truth []addr.Addr
	for peer := range 40 {
		for i := range 20 {
			truth = append(truth, ad("tcp://%d.%d.7.1:26", 100-peer, 1+i))
			tell(h, stranger(10_000+peer), truth[len(truth)-1])
		}
	}
	if n := kept(h, truth); n != len(truth) {
		t.Errorf("%d of %d honest addresses found room", n, len(truth))
	}
}

func TestAPeerTellsAHundredBetweenTwoQuestions(t *testing.T) {
	h := book(t, localnet) // where no other limit is in the way
	peer := ad("tcp://127.0.0.1:5000")
	told := func(from, n int) (all []addr.Addr) {
		for i := range n {
			all = append(all, ad("tcp://127.0.0.1:%d", 10_000+from+i))
		}
		return all
	}
	for range 3 {
		tell(h, peer, told(0, 300)...)
	}
	if n := h.Len(hosts.Grey); n != 100 {
		t.Errorf("%d were taken without a question, want 100", n)
	}
	tell(h, ad("tcp://127.0.0.1:5001"), told(1000, 10)...)
	if n := h.Len(hosts.Grey); n != 110 {
		t.Errorf("another peer's were not taken: there are %d", n)
	}
	h.Asked(peer)
	tell(h, peer, told(2000, 300)...)
	if n := h.Len(hosts.Grey); n != 210 {
		t.Errorf("%d after the next question, want 210", n)
	}
}

func TestReconnectingDoesNotLetAPeerTellMore(t *testing.T) {
	for name, peer := range map[string]func(i int) addr.Addr{
		"from another port": func(i int) addr.Addr { return ad("tcp://5.5.5.5:%d", 1+i) },
		"from its /64":      func(i int) addr.Addr { return ad("tcp://[2a00:1:2:3::%x]:1", 1+i) },
	} {
		h := book(t, nil)
		for i := range 10 {
			tell(h, peer(i), lies(10*i, 10)...)
		}
		for _, e := range h.List(hosts.Grey) { // as if all had been tried
			h.Drop(e.Addr)
		}
		tell(h, peer(11), lies(100, 10)...)
		if n := h.Len(hosts.Grey); n != 0 {
			t.Errorf("%s: %d of the second hundred were taken", name, n)
		}
	}
}

func TestAccountsOfManyPeersAreBounded(t *testing.T) {
	h := book(t, nil)
	for i := range 20_000 {
		tell(h, stranger(i), lies(i, 1)...)
		if n := h.Tellers(); n > 4096 {
			t.Fatalf("%d accounts are kept, want 4,096 at most", n)
		}
	}
	if n := h.Len(hosts.Grey); n != 2000 {
		t.Errorf("%d addresses are kept, want 2,000", n)
	}
}

func TestA8AliasesOfOneEndpointAreOneEntry(t *testing.T) {
	for scheme, hostNames := range map[string][]string{
		"tcp":     {"8.8.8.8", "8.8.8.8.", "0x8.8.8.8", "0x08080808", "134744072", "010.8.8.8", "8.8.2056", "%38.8.8.8", "8。8.8.8"},
		"tcp+tls": {"node.example.com", "NODE.example.com", "node.example.com.", "nod%65.example.com", "ｎode.example.com"},
		"quic":    {"8.8.8.8", "8.8.8.8.", "0x8.8.8.8", "134744072", "%38.8.8.8"},
		"quic+":   {"node.example.com", "NODE.Example.com", "node.example.com.", "nod%65.example.com", "ｎode.example.com"},
	} {
		h := book(t, func(s *hosts.Settings) { s.Dialable = append(s.Dialable, "quic") })
		n := 0
		for _, host := range hostNames {
			for _, user := range []string{"", "u@", "u:p@", ":p@"} {
				for _, port := range []string{":80", ":0080"} {
					for _, rest := range []string{"", "/", "/a", "//", "?", "?q", "#", "#f", "/a?q#f"} {
						if scheme == "quic+" {
							scheme = "quic"
						}
						tell(h, stranger(n), ad("%s", scheme+"://"+user+host+port+rest))
						n++
					}
				}
			}
		}
		if got := h.Len(hosts.Grey); n < 50 || got != 1 {
			t.Errorf("%s: %d aliases are %d entries: %v", hostNames[0], n, got, contents(h, hosts.Grey))
		}
	}
}

func TestA10Times(t *testing.T) {
	const day = 24 * 60 * 60
	const none = math.MaxUint64
	for _, row := range []struct{ told, kept uint64 }{
		{0, none},
		{1, none},
		{now - 30*day - 1, none},
		{now - 30*day, now - 30*day},
		{now - 1, now - 1},
		{now, now},
		{now + 1, now},
		{now + 10*60, now},
		{now + 10*60 + 1, now - 5*day},
		{now + 1000*day, now - 5*day},
		{math.MaxInt64, now - 5*day},
		{math.MaxInt64 + 1, now - 5*day},
		{math.MaxUint64, now - 5*day},
	} {
		h := book(t, nil)
		tellSeen(h, stranger(1), row.told, ad("tcp://8.8.8.8:1"))
		want := map[string]string{}
		if row.kept != none {
			want["tcp://8.8.8.8:1/"] = fmt.Sprint(row.kept)
		}
		if got := contents(h, hosts.Grey); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("told %d: %v, want %v", row.told, got, want)
		}
	}
}

func TestT2TimesFollowAClockThatWasWrong(t *testing.T) {
	for _, wrong := range []int64{now + 10*365*24*3600, -5, 0, math.MaxInt32} {
		wall := &clock{wrong}
		h := book(t, nil, hosts.WithClock(wall.Now))
		tellSeen(h, stranger(1), uint64(max(wrong, 0)), ad("tcp://8.8.8.8:1"))
		gold(t, h, ad("tcp://8.8.4.4:1"))
		wall.unix = now
		for _, e := range append(append(h.List(hosts.Grey), h.List(hosts.Gold)...), h.Known(10, nil)...) {
			if e.LastSeen > now {
				t.Errorf("after a clock at %d: %s seen at %d", wrong, e.Addr, e.LastSeen)
			}
		}
		if h.Len(hosts.Grey)+h.Len(hosts.Gold) != 2 {
			t.Errorf("a clock at %d lost addresses", wrong)
		}
	}
}

func TestV27DarkAddressesAgeAlsoWhenToldFromTheFuture(t *testing.T) {
	wall := &clock{now}
	h := book(t, nil, hosts.WithClock(wall.Now))
	for i, ahead := range []uint64{0, 60, 600, 601, 1 << 62} {
		tellSeen(h, stranger(i), now+ahead, ad("i2p://n%d.i2p:1", i))
	}
	if n := h.Len(hosts.Dark); n != 3 {
		t.Errorf("%d are dark, want the 3 with a time that can be believed", n)
	}
	wall.unix += 24 * 3600
	if n := len(h.List(hosts.Dark)); n != 3 {
		t.Errorf("%d are dark after a day", n)
	}
	wall.unix++
	if told := h.Known(10, nil); len(told) != 0 {
		t.Errorf("told %v after more than a day", told)
	}
	if n := len(h.List(hosts.Dark)); n != 0 {
		t.Errorf("%d are dark after more than a day", n)
	}
}
