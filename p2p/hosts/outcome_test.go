package hosts_test

import (
	"fmt"
	"testing"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
)

// pick is Select or SelectRefine.
type pick func() (addr.Addr, time.Duration, bool)

func toDial(h *hosts.Hosts) pick {
	return func() (addr.Addr, time.Duration, bool) { return h.Select(8) }
}

// waitsFor is how long until the one address there is can be picked; it is then.
func waitsFor(t *testing.T, clock *watch, pick pick) time.Duration {
	t.Helper()
	a, retry, ok := pick()
	if ok || retry <= 0 {
		t.Fatalf("picked %v, retry in %v, want a pause", a, retry)
	}
	clock.pass(retry - 1)
	if a, again, ok := pick(); ok || again != 1 {
		t.Fatalf("picked %v a moment before its time, which is in %v", a, again)
	}
	clock.pass(1)
	if a, _, ok := pick(); !ok || a != target {
		t.Fatalf("picked %v when it is time", a)
	}
	return retry
}

func TestPausesDoubleWithEachFailure(t *testing.T) {
	for name, row := range map[string]struct {
		fail func(h *hosts.Hosts)
		next func(h *hosts.Hosts) pick // who may try it next
	}{
		"a dial that failed": {
			func(h *hosts.Hosts) { h.Failed(target) },
			func(h *hosts.Hosts) pick { return h.SelectRefine },
		},
		"a channel of less than 10 s": {
			func(h *hosts.Hosts) {
				if h.StateOf(target) != hosts.Connected {
					_ = h.Connected(target)
				}
				h.Disconnected(target, 10*time.Second-1)
			},
			toDial,
		},
		"no answer": {
			func(h *hosts.Hosts) { h.Silent(target) },
			func(h *hosts.Hosts) pick { return h.SelectRefine },
		},
	} {
		t.Run(name, func(t *testing.T) {
			clock := newWatch()
			h := book(t, nil, hosts.WithClock(clock.Now))
			must(t, h.Connected(target)) // so that it is kept
			h.Disconnected(target, time.Hour)
			clock.pass(time.Second)
			for _, seconds := range []int{1, 2, 4, 8, 16, 32, 60, 60, 60} {
				row.fail(h)
				most := time.Duration(seconds) * time.Second
				if got := waitsFor(t, clock, row.next(h)); got <= most*3/4-1 || got > most {
					t.Errorf("waits for %v, want %v less up to a quarter", got, most)
				}
				h.Release(target)
			}
		})
	}
}

func TestAGoodChannelForgetsFailures(t *testing.T) {
	clock := newWatch()
	h := book(t, nil, hosts.WithClock(clock.Now))
	tell(h, stranger(1), target)
	pauses := map[time.Duration]bool{}
	for range 20 {
		h.Failed(target)
		h.Failed(target)
		h.Release(target)
		must(t, h.Connected(target))
		h.Disconnected(target, 10*time.Second)
		got := waitsFor(t, clock, toDial(h))
		if got < 200*time.Millisecond || got > time.Second {
			t.Errorf("dialled again after %v, want 0.2 to 1 s", got)
		}
		pauses[got] = true
		h.Failed(target)
		if got := waitsFor(t, clock, h.SelectRefine); got > time.Second {
			t.Errorf("the next failure makes it wait for %v", got)
		}
		h.Release(target)
	}
	if len(pauses) < 10 {
		t.Errorf("%d different pauses of 20: nodes would try in step", len(pauses))
	}
}

func TestOutcomes(t *testing.T) {
	for _, row := range []struct {
		name   string
		do     func(h *hosts.Hosts)
		colour string
		state  hosts.State
	}{
		{"heard of", func(h *hosts.Hosts) {}, "grey", hosts.Free},
		{"connected", func(h *hosts.Hosts) { _ = h.Connected(target) }, "gold", hosts.Connected},
		{"disconnected", func(h *hosts.Hosts) { _ = h.Connected(target); h.Disconnected(target, 0) }, "grey", hosts.Free},
		{"released", func(h *hosts.Hosts) { _ = h.Connected(target); h.Release(target) }, "gold", hosts.Free},
		{"not reached", func(h *hosts.Hosts) { h.Failed(target) }, "grey", hosts.Suspended},
		{"gold and not reached", func(h *hosts.Hosts) { _ = h.Connected(target); h.Failed(target) }, "grey", hosts.Suspended},
		{"answered", func(h *hosts.Hosts) { h.Answered(target) }, "white", hosts.Free},
		{"did not answer", func(h *hosts.Hosts) { h.Silent(target) }, "refused", hosts.Free},
		{"did not answer any more", func(h *hosts.Hosts) { h.Answered(target); h.Silent(target) }, "grey", hosts.Suspended},
		{"is no peer", func(h *hosts.Hosts) { h.Avoid(target, time.Hour) }, "grey", hosts.Free},
		{"gold and no peer", func(h *hosts.Hosts) { _ = h.Connected(target); h.Avoid(target, time.Hour) }, "grey", hosts.Free},
		{"answered while connected", func(h *hosts.Hosts) { _ = h.Connected(target); h.Answered(target) }, "gold", hosts.Connected},
		{"did not answer while connected", func(h *hosts.Hosts) { _ = h.Connected(target); h.Silent(target) }, "gold", hosts.Connected},
	} {
		h := book(t, nil)
		tell(h, stranger(1), target)
		row.do(h)
		if c, s := colour(h, target), h.StateOf(target); c != row.colour || s != row.state {
			t.Errorf("%s: %s and %v, want %s and %v", row.name, c, s, row.colour, row.state)
		}
	}
}

func TestADarkAddressThatIsNotReachedStaysDark(t *testing.T) {
	h := book(t, nil)
	dark := ad("i2p://stats.i2p:1")
	tell(h, stranger(1), dark)
	h.Failed(dark)
	if c, s := colour(h, dark), h.StateOf(dark); c != "dark" || s != hosts.Free {
		t.Errorf("it is %s and %v", c, s)
	}
}

func TestWhatHasAnsweredIsKeptForADay(t *testing.T) {
	for _, row := range []struct {
		name string
		age  time.Duration
		kept bool
	}{{"a day", 24 * time.Hour, true}, {"more than a day", 24*time.Hour + 1, false}} {
		clock := newWatch()
		h := book(t, nil, hosts.WithClock(clock.Now))
		h.Answered(target)
		h.Silent(target) // white is made grey, whenever that was
		clock.pass(row.age)
		h.Silent(target)
		if got := colour(h, target) == "grey"; got != row.kept {
			t.Errorf("after %s it is %s", row.name, colour(h, target))
		}
	}
}

func TestWhatHadAnsweredByTheFileIsKeptToo(t *testing.T) {
	path := hostlist(t)
	all := map[string]addr.Addr{"gold": apart(1), "white": apart(2), "grey": apart(3)}
	content := ""
	for c, a := range all {
		content += fmt.Sprintf("%s\t%s\t%d\n", c, a, now-20*24*3600)
	}
	writeFile(t, path, content)
	h := book(t, withFile(path))
	must(t, h.Load(t.Context()))
	for c, a := range all {
		h.Silent(a)
		h.Silent(a)
		if got := colour(h, a); (got == "grey") != (c != "grey") {
			t.Errorf("what was %s in the file is %s", c, got)
		}
	}
}

// A network is cut for ten minutes: every dial and every try fails meanwhile.
func TestN1NothingIsLostInAPartition(t *testing.T) {
	clock := newWatch()
	h := book(t, nil, hosts.WithClock(clock.Now))
	tries := map[addr.Addr]int{}
	last := map[addr.Addr]time.Time{}
	for i := range 20 {
		must(t, h.Connected(apart(i)))
		h.Disconnected(apart(i), time.Hour)
		last[apart(i)] = clock.at
	}
	tried := func(a addr.Addr) {
		if gap := clock.at.Sub(last[a]); gap > time.Minute+2*time.Second {
			t.Errorf("%s was left alone for %v", a, gap)
		}
		tries[a]++
		last[a] = clock.at
	}
	for range 600 {
		clock.pass(time.Second)
		for {
			a, _, ok := h.Select(20)
			if !ok {
				break
			}
			tried(a)
			h.Failed(a)
		}
		for {
			a, _, ok := h.SelectRefine()
			if !ok {
				break
			}
			tried(a)
			h.Silent(a)
		}
	}
	for i := range 20 {
		a := apart(i)
		if colour(h, a) != "grey" || tries[a] < 12 || tries[a] > 20 {
			t.Errorf("%s is %s after %d tries", a, colour(h, a), tries[a])
		}
	}
}

func TestAvoidedAddressesAreLeftAlone(t *testing.T) {
	for _, pick := range []func(h *hosts.Hosts) pick{toDial, func(h *hosts.Hosts) pick { return h.SelectRefine }} {
		clock := newWatch()
		h := book(t, nil, hosts.WithClock(clock.Now))
		tell(h, stranger(1), target)
		h.Failed(target)
		h.Avoid(target, time.Hour)
		tell(h, stranger(2), target)
		h.Resume() // another network is no fault of ours
		if got := waitsFor(t, clock, pick(h)); got != time.Hour {
			t.Errorf("left alone for %v, want an hour", got)
		}
	}
}

func TestResumeForgetsWhatFailed(t *testing.T) {
	clock := newWatch()
	h := book(t, nil, hosts.WithClock(clock.Now))
	gold(t, h, apart(1))
	suspended, left, connected := apart(0), apart(1), apart(2)
	tell(h, stranger(1), suspended, left)
	for range 7 {
		h.Failed(suspended)
		must(t, h.Connected(left))
		h.Disconnected(left, 0)
	}
	must(t, h.Connected(connected))
	if a, retry, ok := h.Select(8); ok || retry < 45*time.Second {
		t.Errorf("selected %v, retry in %v", a, retry)
	}
	h.Resume()
	picked := map[addr.Addr]bool{}
	for range 3 {
		if a, _, ok := h.Select(8); ok {
			picked[a] = true
		}
	}
	if len(picked) != 2 || !picked[suspended] || !picked[left] {
		t.Errorf("selected %v", picked)
	}
	if got := h.StateOf(connected); got != hosts.Connected {
		t.Errorf("a connected address became %v", got)
	}
	h.Failed(suspended)
	if _, retry, _ := h.SelectRefine(); retry > time.Second {
		t.Errorf("the next failure makes it wait for %v", retry)
	}
}

func TestNewsCloseItsChannelWhenMoreMayBeFound(t *testing.T) {
	clock := newWatch()
	other := ad("tcp://9.9.9.9:1")
	for _, row := range []struct {
		name   string
		do     func(h *hosts.Hosts)
		closed bool
	}{
		{"a new grey address", func(h *hosts.Hosts) { tell(h, stranger(1), other) }, true},
		{"one that is known", func(h *hosts.Hosts) { tell(h, stranger(1), target) }, false},
		{"one that cannot be dialled", func(h *hosts.Hosts) { tell(h, stranger(1), ad("i2p://stats.i2p:1")) }, false},
		{"in use", func(h *hosts.Hosts) { must(t, h.Claim(target, hosts.Connecting)) }, false},
		{"looking", func(h *hosts.Hosts) { h.Len(hosts.Grey); h.Refused(target); h.Known(8, nil); h.Bans() }, false},
		{"answered", func(h *hosts.Hosts) { h.Answered(target) }, true},
		{"free", func(h *hosts.Hosts) { h.Release(target) }, true},
		{"disconnected", func(h *hosts.Hosts) { must(t, h.Connected(target)); h.Disconnected(target, 0) }, true},
		{"not reached", func(h *hosts.Hosts) { h.Failed(target) }, true},
		{"dropped", func(h *hosts.Hosts) { h.Silent(target) }, false},
		{"resume", func(h *hosts.Hosts) { h.Failed(target); h.Resume() }, true},
		{"configure", func(h *hosts.Hosts) { h.Configure(nil, nil, hosts.Blacklist{}) }, true},
		{"a ban", func(h *hosts.Hosts) { ban(t, h, other) }, false},
	} {
		h := book(t, nil, hosts.WithClock(clock.Now))
		tell(h, stranger(1), target)
		_, changed := h.News()
		if _, again := h.News(); again != changed {
			t.Errorf("%s: another channel while nothing has changed", row.name)
		}
		row.do(h)
		if closed := isClosed(changed); closed != row.closed {
			t.Errorf("%s: closed is %v, want %v", row.name, closed, row.closed)
		}
		if _, next := h.News(); isClosed(next) {
			t.Errorf("%s: the next one is closed to begin with", row.name)
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestUnbanIsNews(t *testing.T) {
	h := book(t, nil)
	ban(t, h, target)
	_, changed := h.News()
	if !h.Unban("8.8.8.8") || !isClosed(changed) {
		t.Error("no news")
	}
}

func TestNewsCountWhatCameOnTheGreyList(t *testing.T) {
	h := book(t, nil)
	tell(h, stranger(1), apart(1), apart(2), apart(1), ad("i2p://stats.i2p:1"), ad("tcp://10.0.0.1:1"))
	gold(t, h, apart(3))
	must(t, h.Connected(apart(3)))
	h.Disconnected(apart(3), time.Hour)
	if heard, _ := h.News(); heard != 2 {
		t.Errorf("%d were heard of, want 2", heard)
	}
}
