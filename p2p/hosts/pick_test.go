package hosts_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
)

// all picks until there is nothing left.
func all(pick pick) (picked []addr.Addr) {
	for {
		a, _, ok := pick()
		if !ok {
			return picked
		}
		picked = append(picked, a)
	}
}

func TestSelectFillsSlotsWithKnownAddressesWhenThereAreNoOthers(t *testing.T) {
	h := filled(t, 6, 6, 0, nil)
	if got := selected(h, 8); got["gold"] != 6 || got["white"] != 2 {
		t.Errorf("selected %v of 6 gold and 6 white ones for 8 slots", got)
	}
	h = filled(t, 0, 9, 9, nil)
	for range 5 { // for 5 of 8 slots known ones
		h.Select(8)
	}
	a, _, _ := h.Select(8)
	if got := colour(h, a); got != "grey" {
		t.Errorf("the sixth is %s", got)
	}
	for _, e := range h.List(hosts.White) {
		if h.StateOf(e.Addr) == hosts.Connecting {
			h.Failed(e.Addr)
			break
		}
	}
	b, _, _ := h.Select(8)
	if got := colour(h, b); got != "white" {
		t.Errorf("instead of a known one that failed: %s", got)
	}
}

// One operator's network holds two slots, however many addresses it has.
func TestA3TwoSlotsForANetwork(t *testing.T) {
	for name, at := range map[string]func(i int) addr.Addr{
		"IPv4 /16":             func(i int) addr.Addr { return ad("tcp://8.8.%d.1:1", i) },
		"IPv6 /32":             func(i int) addr.Addr { return ad("tcp://[2a00:1:%x::1]:1", i) },
		"one /16 and its twin": func(i int) addr.Addr { return ad("tcp://[2a00:1:%x:%x::1]:%d", i, i, 1+i) },
	} {
		h := book(t, nil)
		for i := range 9 {
			tell(h, stranger(i), at(i))
		}
		first := all(toDial(h))
		if len(first) != 2 {
			t.Errorf("%s: %d of one network were selected", name, len(first))
			continue
		}
		must(t, h.Connected(first[0]))
		h.Failed(first[1])
		if n := len(all(toDial(h))); n != 1 {
			t.Errorf("%s: %d more for one that failed", name, n)
		}
		h.Disconnected(first[0], time.Hour)
		if n := len(all(toDial(h))); n != 1 {
			t.Errorf("%s: %d more for one that left", name, n)
		}
		if n := len(all(h.SelectRefine)); n != 5 {
			t.Errorf("%s: %d are refined, want all the others", name, n)
		}
	}
}

func TestA3WhatSelectDidNotPickTakesNoSlotOfANetwork(t *testing.T) {
	h := book(t, nil)
	for i := range 8 {
		a := ad("tcp://8.8.%d.1:1", i)
		tell(h, stranger(i), a)
		if i < 3 {
			must(t, h.Claim(a, hosts.Connecting))
			must(t, h.Connected(a))
		}
	}
	if n := len(all(toDial(h))); n != 2 {
		t.Errorf("%d were selected beside the three that others connected to", n)
	}
}

func TestNamesAreSixteenNetworks(t *testing.T) {
	h := book(t, func(s *hosts.Settings) { s.DialNames = true })
	for i := range 500 {
		tell(h, stranger(i), ad("tcp://n%d.example.com:1", i))
	}
	if n := len(all(toDial(h))); n != 32 {
		t.Errorf("%d names were selected, want 2 of each of 16", n)
	}
}

func TestALocalnetIsOneNetworkWithoutLimit(t *testing.T) {
	h := book(t, localnet)
	for i := range 50 {
		tell(h, ad("tcp://127.0.0.1:9"), ad("tcp://127.0.0.1:%d", 1000+i))
	}
	if n := len(all(toDial(h))); n != 50 {
		t.Errorf("%d of 50 were selected", n)
	}
}

// A network with many addresses is picked as often as one with few.
func TestNetworksTakeTurns(t *testing.T) {
	h := book(t, nil)
	for i := range 60 {
		tell(h, stranger(i), ad("tcp://8.8.%d.1:1", i))
	}
	for i := range 9 {
		tell(h, stranger(100+i), apart(i))
	}
	many := 0
	for range 2000 {
		a, _, _ := h.Select(8)
		if a.Host()[:4] == "8.8." {
			many++
		}
		h.Release(a)
	}
	if many < 140 || many > 260 {
		t.Errorf("one of ten networks was picked %d times in 2,000, want about 200", many)
	}
}

func TestUnusableAddressesAreLeftOut(t *testing.T) {
	clock := newWatch()
	down, asked := true, 0
	unusable := func(s *hosts.Settings) {
		s.Unusable = func(a addr.Addr) bool {
			asked++
			ip, _ := a.IP()
			return down && ip.Is6()
		}
	}
	for name, row := range map[string]struct {
		white bool
		pick  func(h *hosts.Hosts) pick
	}{
		"to dial":       {false, toDial},
		"known to dial": {true, toDial},
		"to refine":     {false, func(h *hosts.Hosts) pick { return h.SelectRefine }},
		"to check again": {true, func(h *hosts.Hosts) pick {
			return func() (addr.Addr, time.Duration, bool) {
				a, ok := h.SelectRecheck(-1)
				return a, 0, ok
			}
		}},
	} {
		down = true
		h := book(t, unusable, hosts.WithClock(clock.Now))
		for i := range 20 {
			a := ad("tcp://[2a%02x::1]:1", i)
			if tell(h, stranger(i), a); row.white {
				h.Answered(a)
			}
		}
		six := target
		if tell(h, stranger(30), six); row.white {
			h.Answered(six)
		}
		if got := all(row.pick(h)); fmt.Sprint(got) != fmt.Sprint([]addr.Addr{six}) {
			t.Errorf("%s: picked %v", name, got)
		}
		asked = 0
		if got := all(row.pick(h)); len(got) != 0 || asked != 0 {
			t.Errorf("%s: asked again %d times at once", name, asked)
		}
		down = false
		clock.pass(5 * time.Second)
		picked := all(row.pick(h))
		if want := 20; len(picked) != want {
			t.Errorf("%s: picked %d of %d when they can be dialled again", name, len(picked), want)
		}
	}
}

func TestNothingToRetryIsZero(t *testing.T) {
	h := book(t, func(s *hosts.Settings) { s.DisableGreys = true })
	must(t, h.Connected(apart(1)))
	must(t, h.Connected(apart(2)))
	h.Disconnected(apart(2), 0) // waits, but is grey
	for name, pick := range map[string]pick{"an empty list": book(t, nil).SelectRefine, "no greys": toDial(h)} {
		if a, retry, ok := pick(); ok || retry != 0 {
			t.Errorf("%s: %v, retry in %v", name, a, retry)
		}
	}
}

func TestTheNewestIsRefinedFirst(t *testing.T) {
	clock := newWatch()
	h := book(t, nil, hosts.WithClock(clock.Now))
	for i := range 3 {
		h.Answered(apart(i))
		h.Silent(apart(i)) // so they have been tried
	}
	h.Failed(apart(1))
	clock.pass(time.Minute)
	for i := range 8 {
		tell(h, stranger(i), apart(10+i))
	}
	for turn := 1; turn <= 11; turn++ {
		newest := 17
		for newest >= 10 && h.StateOf(apart(newest)) == hosts.Refining {
			newest--
		}
		a, _, ok := h.SelectRefine()
		if !ok || h.StateOf(a) != hosts.Refining {
			t.Fatalf("turn %d: %v, %v", turn, a, ok)
		}
		if turn%4 != 0 && newest >= 10 && a != apart(newest) {
			t.Errorf("turn %d: %s, want the one heard of last, %s", turn, a, apart(newest))
		}
	}
	if a, _, ok := h.SelectRefine(); ok {
		t.Errorf("and then %s", a)
	}
}

// What is heard of all the time does not keep the rest waiting for ever.
func TestAStreamOfNewAddressesLeavesTurnsToOthers(t *testing.T) {
	h := book(t, nil)
	tell(h, stranger(0), target)
	others := map[addr.Addr]bool{}
	for i := range 400 {
		tell(h, stranger(1+i), apart(i))
		a, _, _ := h.SelectRefine()
		if a != apart(i) {
			others[a] = true
		}
		h.Silent(a)
	}
	// Every fourth turn is for any of them, and there are seldom more than two.
	if n := len(others); !others[target] || n < 25 {
		t.Errorf("in 400 turns %d others were refined, the old one among them: %v; want about 50", n, others[target])
	}
}

func TestOfAFileTheNewestWhiteIsRefinedFirst(t *testing.T) {
	path := hostlist(t)
	writeFile(t, path, fmt.Sprintf("grey\t%s\t%d\nwhite\t%s\t%d\nwhite\t%s\t%d\n", apart(1), now, apart(2), now-2, apart(3), now-1))
	h := book(t, withFile(path))
	must(t, h.Load(t.Context()))
	tell(h, stranger(1), apart(4))
	var got []addr.Addr
	for range 3 {
		a, _, _ := h.SelectRefine()
		got = append(got, a)
	}
	if want := []addr.Addr{apart(4), apart(3), apart(2)}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("refined %v, want %v", got, want)
	}
}

func TestOthersAreRefinedInRandomOrder(t *testing.T) {
	first := map[addr.Addr]int{}
	for seed := range uint64(400) {
		clock := newWatch()
		h := hosts.New(hosts.Settings{Dialable: []string{"tcp"}}, nopLog, hosts.WithClock(clock.Now), hosts.WithRand(rand.NewPCG(seed, 0)))
		tell(h, stranger(1), apart(0), apart(1), apart(2), apart(3))
		h.Failed(apart(0))
		h.Failed(apart(1))
		h.Avoid(apart(2), time.Second)
		h.Avoid(apart(3), time.Second)
		clock.pass(time.Second)
		a, _, _ := h.SelectRefine()
		first[a]++
	}
	for i := range 4 {
		if n := first[apart(i)]; n < 60 || n > 140 {
			t.Errorf("%s was first %d times in 400, want about 100", apart(i), n)
		}
	}
}

func TestTheOldestWhiteIsCheckedAgain(t *testing.T) {
	clock := newWatch()
	h := book(t, nil, hosts.WithClock(clock.Now))
	for i := range 5 {
		h.Answered(apart(i))
		clock.pass(time.Minute)
	}
	gold(t, h, apart(5))
	must(t, h.Claim(apart(0), hosts.Connecting))
	for i := 1; i < 4; i++ {
		a, ok := h.SelectRecheck(90 * time.Second)
		if !ok || a != apart(i) || h.StateOf(a) != hosts.Refining {
			t.Fatalf("number %d: %v, %v", i, a, ok)
		}
	}
	if a, ok := h.SelectRecheck(90 * time.Second); ok {
		t.Errorf("then %s, which was seen a minute ago", a)
	}
	h.Answered(apart(1))
	h.Silent(apart(2))
	for i, want := range []string{"white", "white", "grey", "white", "white"} {
		if got := colour(h, apart(i)); got != want {
			t.Errorf("number %d is %s, want %s", i, got, want)
		}
	}
}

// The refinery as it is: four tries at a time, one begun a second as long as few
// addresses are known. Who is dead takes four seconds.
func TestA13TheRefineryReachesTheFewThatLive(t *testing.T) {
	for seed := range uint64(100) {
		clock := newWatch()
		chance := rand.New(rand.NewPCG(seed, 13))
		h := hosts.New(hosts.Settings{Dialable: []string{"tcp"}}, nopLog, hosts.WithClock(clock.Now), hosts.WithRand(rand.NewPCG(seed, 0)))
		lives := map[addr.Addr]bool{}
		for _, i := range chance.Perm(2000) { // no more fit on the list
			tell(h, stranger(i), apart(i))
			if i < 20 {
				lives[apart(i)] = true
			}
		}
		if n := h.Len(hosts.Grey); n != 2000 {
			t.Fatalf("%d addresses are heard of", n)
		}
		type try struct {
			of    addr.Addr
			until time.Time
		}
		var tries []try
		first, elapsed := time.Duration(0), time.Duration(0)
		for h.Len(hosts.White) < 20 {
			clock.pass(time.Second)
			elapsed += time.Second
			if elapsed > 4*time.Hour {
				t.Fatalf("chance %d: %d of 20 were reached in four hours", seed, h.Len(hosts.White))
			}
			if len(tries) > 0 && !clock.at.Before(tries[0].until) {
				h.Silent(tries[0].of)
				tries = tries[1:]
			}
			if len(tries) == 4 {
				continue
			}
			a, _, ok := h.SelectRefine()
			switch {
			case !ok:
				continue
			case !lives[a]:
				tries = append(tries, try{a, clock.at.Add(4 * time.Second)})
			default:
				if h.Answered(a); first == 0 {
					first = elapsed
				}
			}
		}
		if first > 10*time.Minute {
			t.Errorf("chance %d: the first was reached after %v", seed, first)
		}
	}
}
