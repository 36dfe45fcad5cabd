package hosts_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
)

// selected fills all slots and counts the colours of what was selected.
func selected(h *hosts.Hosts, slots int) map[string]int {
	n := map[string]int{}
	for range slots {
		if a, _, ok := h.Select(slots); ok {
			n[colour(h, a)]++
		}
	}
	return n
}

// filled is a book with so many gold, white and grey addresses.
func filled(t *testing.T, golds, whites, greys int, change func(*hosts.Settings)) *hosts.Hosts {
	t.Helper()
	h := book(t, change)
	for i := range golds + whites + greys {
		a := apart(i)
		switch {
		case i < golds:
			gold(t, h, a)
		case i < golds+whites:
			h.Answered(a)
		default:
			tell(h, stranger(i), a)
		}
	}
	return h
}

func TestSelectTakesGoldThenWhiteThenGrey(t *testing.T) {
	for _, row := range []struct {
		name                     string
		slots, percent           int
		disableGreys             bool
		gold, white, grey        int // there are
		wantGold, wantWhite, now int // are selected for all slots; now: grey
	}{
		{name: "no slots", slots: 0, percent: 70, gold: 9, white: 9, grey: 9},
		{name: "gold alone", slots: 8, percent: 70, gold: 3, wantGold: 3},
		{name: "white alone", slots: 8, percent: 70, white: 3, wantWhite: 3},
		{name: "grey alone", slots: 8, percent: 70, grey: 20, now: 8},
		{name: "as many gold as slots for known ones", slots: 8, percent: 70, gold: 5, white: 9, grey: 20, wantGold: 5, now: 3},
		{name: "few gold, filled up with white", slots: 8, percent: 70, gold: 2, white: 3, grey: 20, wantGold: 2, wantWhite: 3, now: 3},
		{name: "at most 80 percent", slots: 10, percent: 100, gold: 8, white: 5, grey: 20, wantGold: 8, now: 2},
		{name: "one slot is for a known one", slots: 1, percent: 70, gold: 1, white: 1, grey: 9, wantGold: 1},
		{name: "and so it is when no percent are", slots: 4, percent: 0, gold: 1, white: 1, grey: 9, wantGold: 1, now: 3},
		{name: "one slot and none known", slots: 1, percent: 70, grey: 9, now: 1},
		{name: "no greys", slots: 8, percent: 70, disableGreys: true, gold: 6, white: 2, grey: 20, wantGold: 6, wantWhite: 2},
		{name: "no greys, too few others", slots: 8, percent: 70, disableGreys: true, gold: 1, white: 1, grey: 20, wantGold: 1, wantWhite: 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := filled(t, row.gold, row.white, row.grey, func(s *hosts.Settings) {
				s.KnownPeerPercent, s.DisableGreys = row.percent, row.disableGreys
			})
			got := selected(h, row.slots)
			if got["gold"] != row.wantGold || got["white"] != row.wantWhite || got["grey"] != row.now {
				t.Errorf("selected %v, want %d gold, %d white, %d grey", got, row.wantGold, row.wantWhite, row.now)
			}
		})
	}
}

func TestSelectNeverReturnsAnAddressInUse(t *testing.T) {
	h := filled(t, 5, 5, 5, nil)
	seen := map[addr.Addr]bool{}
	for range 1000 { // each time another random choice
		a, _, ok := h.Select(50)
		if !ok {
			continue
		}
		if seen[a] || h.StateOf(a) != hosts.Connecting {
			t.Fatalf("%s selected again, or %v", a, h.StateOf(a))
		}
		seen[a] = true
	}
	if len(seen) != 15 {
		t.Errorf("%d of 15 were selected", len(seen))
	}
}

// With many suspended grey addresses the few others are found at once.
func TestSelectFindsTheOneThatIsFree(t *testing.T) {
	h := filled(t, 0, 0, 2000, nil)
	for _, e := range h.List(hosts.Grey)[1:] {
		h.Failed(e.Addr)
	}
	free := h.List(hosts.Grey)[0].Addr
	if a, _, ok := h.Select(1); !ok || a != free {
		t.Errorf("selected %v, want %s", a, free)
	}
	if a, _, ok := h.Select(1); ok {
		t.Errorf("and then %s", a)
	}
}

func TestNamesThatStrangersTellAreDialledOnlyWhenAllowed(t *testing.T) {
	names := []addr.Addr{ad("tcp://node.example.com:1"), ad("quic://node.example.net:1"), ad("tcp+tls://node.example.org:1")}
	hidden := []addr.Addr{ad("tor://%s:1", onion), ad("i2p://stats.i2p:1")} // these are no DNS names
	for _, allowed := range []bool{false, true} {
		h := book(t, func(s *hosts.Settings) {
			s.DialNames = allowed
			s.Dialable = []string{"tcp", "tcp+tls", "quic", "tor", "i2p"}
		})
		tell(h, stranger(1), append(names, hidden...)...)
		if n := h.Len(hosts.Grey); n != 5 {
			t.Fatalf("%d of 5 are kept", n)
		}
		n := 0
		for range 10 {
			for _, pick := range []func() (addr.Addr, time.Duration, bool){func() (addr.Addr, time.Duration, bool) { return h.Select(8) }, h.SelectRefine} {
				if a, _, ok := pick(); ok {
					n++
					if !allowed && strings.Contains(a.Host(), "example") {
						t.Errorf("%s was selected", a)
					}
				}
			}
		}
		if want := map[bool]int{false: 2, true: 5}[allowed]; n != want {
			t.Errorf("%d were selected, want %d", n, want)
		}
		h.Release(names[0])
		h.Answered(names[0])
		if got := h.Known(10, nil); len(got) != 1 {
			t.Errorf("told %v: a name may be passed on", got)
		}
	}
}

func TestSelectIsRandom(t *testing.T) {
	first := map[addr.Addr]int{}
	for seed := range uint64(400) {
		h := hosts.New(hosts.Settings{Dialable: []string{"tcp"}}, nopLog, hosts.WithClock((&clock{now}).Now), hosts.WithRand(rand.NewPCG(seed, 0)))
		tell(h, stranger(1), lies(0, 4)...)
		a, _, _ := h.Select(8)
		first[a]++
	}
	for _, a := range lies(0, 4) {
		if n := first[a]; n < 60 || n > 140 {
			t.Errorf("%s was first %d times in 400, want about 100", a, n)
		}
	}
}

func TestKnownIsBoundedAndNeverGrey(t *testing.T) {
	h := filled(t, 1000, 1000, 1000, nil)
	for i := range 40 {
		tell(h, stranger(4000+i), ad("i2p://n%d.i2p:1", i))
	}
	for _, row := range []struct{ most, want int }{{-1, 0}, {0, 0}, {1, 2}, {8, 16}, {255, 510}, {256, 510}, {1 << 31, 510}} {
		for _, schemes := range [][]string{nil, {"tcp"}, {"tcp", "tcp+tls", "tcp"}, {"i2p"}} {
			got := h.Known(row.most, schemes)
			if len(got) != row.want {
				t.Errorf("asked for %d of %v: %d", row.most, schemes, len(got))
			}
			seen := map[addr.Addr]bool{}
			for _, e := range got {
				if c := colour(h, e.Addr); c == "grey" || c == "refused" || seen[e.Addr] {
					t.Errorf("told %s, which is %s", e.Addr, c)
				}
				seen[e.Addr] = true
			}
		}
	}
}

// When the network of a slot's address has room again a slot may pick another.
func TestASlotThatABanEmptiesIsNews(t *testing.T) {
	h := book(t, nil)
	var held []addr.Addr
	for i := range 3 {
		tell(h, stranger(i), ad("tcp://8.8.%d.1:1", i))
	}
	for range 2 {
		a, _, _ := h.Select(8)
		must(t, h.Connected(a))
		held = append(held, a)
	}
	if a, _, ok := h.Select(8); ok {
		t.Fatalf("a third one of a network of 16 bits: %s", a)
	}
	_, changed := h.News()
	ban(t, h, held[0])
	h.Disconnected(held[0], time.Minute)
	if !isClosed(changed) {
		t.Error("nobody is told")
	}
	if _, _, ok := h.Select(8); !ok {
		t.Error("the third one is not selected")
	}
	must(t, h.Verify())
}

// A12: the seed that answers first is one that lies.
func TestA12TheSeedThatAnswersFirstDoesNotFillEverySlot(t *testing.T) {
	seeds := []addr.Addr{ad("tcp://11.1.1.1:9"), ad("tcp://12.1.1.1:9"), ad("tcp://13.1.1.1:9")}
	at := &clock{now}
	h := book(t, func(s *hosts.Settings) { s.Seeds = seeds }, hosts.WithClock(at.Now))
	const slots = 8
	fill := func() (from [3]int) {
		for {
			a, _, ok := h.Select(slots)
			if !ok {
				return from
			}
			ip, _ := a.IP()
			from[ip.As4()[0]/50-1]++
			must(t, h.Connected(a))
		}
	}
	for i := range 2 { // two of three lie
		for n := range 50 {
			tell(h, seeds[i], ad("tcp://%d.%d.1.1:9", 50*(i+1), n+1))
		}
	}
	if got := fill(); got != [3]int{2, 2, 0} {
		t.Fatalf("the slots hold %v of each seed's addresses, want two of each that answered", got)
	}
	if _, retry, ok := h.Select(slots); ok || retry <= 0 || retry > 10e9 {
		t.Errorf("Select: %v, %v; want to try again within 10 s", retry, ok)
	}
	for n := range 8 {
		tell(h, seeds[2], ad("tcp://150.%d.1.1:9", n+1))
	}
	if got := fill(); got != [3]int{0, 0, 2} {
		t.Errorf("the slots hold %v more, want two of the third seed's", got)
	}
	at.unix += 10
	if got := fill(); got[0]+got[1]+got[2] < slots-6 {
		t.Errorf("after 10 s %v more are held, want all slots filled", got)
	}
}

func TestOneSeedMayFillEverySlot(t *testing.T) {
	seed := ad("tcp://11.1.1.1:9")
	h := book(t, func(s *hosts.Settings) { s.Seeds = []addr.Addr{seed} })
	for n := range 8 {
		tell(h, seed, ad("tcp://50.%d.1.1:9", n+1))
	}
	for i := range 8 {
		if _, _, ok := h.Select(8); !ok {
			t.Fatalf("slot %d finds no address", i)
		}
	}
}
