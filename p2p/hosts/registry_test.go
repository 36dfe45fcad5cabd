package hosts_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
)

var target = ad("tcp://8.8.8.8:26")

// into brings the target into a state.
func into(t *testing.T, h *hosts.Hosts, s hosts.State) {
	t.Helper()
	switch s {
	case hosts.Free:
	case hosts.Suspended:
		tell(h, stranger(1), target)
		h.Failed(target)
	default:
		must(t, h.Claim(target, s))
	}
	if got := h.StateOf(target); got != s {
		t.Fatalf("the address is %v, want %v", got, s)
	}
}

// The rows are what can be done, the columns the states in which it may be.
func TestTransitions(t *testing.T) {
	states := []hosts.State{hosts.Free, hosts.Refining, hosts.Connecting, hosts.Connected, hosts.Suspended}
	for _, row := range []struct {
		name string
		do   func(h *hosts.Hosts) error
		then hosts.State
		keep bool // the state, instead of then
		from []bool
	}{
		{"refine", claim(hosts.Refining), hosts.Refining, false, []bool{true, false, false, false, true}},
		{"connect", claim(hosts.Connecting), hosts.Connecting, false, []bool{true, false, false, false, false}},
		{"connected", claim(hosts.Connected), hosts.Connected, false, []bool{true, true, true, false, false}},
		{"free", func(h *hosts.Hosts) error { h.Release(target); return nil }, hosts.Free, false, []bool{true, true, true, true, true}},
		{"claim as free", claim(hosts.Free), 0, true, []bool{false, false, false, false, false}},
		{"claim as suspended", claim(hosts.Suspended), 0, true, []bool{false, false, false, false, false}},
	} {
		for i, from := range states {
			t.Run(fmt.Sprint(row.name, " when ", from), func(t *testing.T) {
				h := book(t, nil)
				into(t, h, from)
				err := row.do(h)
				want := row.then
				if !row.from[i] || row.keep {
					want = from
				}
				if row.from[i] {
					must(t, err)
				} else if refused := (*hosts.StateError)(nil); !errors.As(err, &refused) || refused.State != from {
					t.Errorf("got %v, want a StateError", err)
				}
				if got := h.StateOf(target); got != want {
					t.Errorf("then it is %v, want %v", got, want)
				}
			})
		}
	}
}

func claim(s hosts.State) func(*hosts.Hosts) error {
	return func(h *hosts.Hosts) error { return h.Claim(target, s) }
}

func TestOnlyFreeAddressesComeOnAList(t *testing.T) {
	for _, s := range []hosts.State{hosts.Refining, hosts.Connecting, hosts.Connected} {
		h := book(t, nil)
		into(t, h, s)
		tell(h, stranger(1), target)
		if got := colour(h, target); got != "refused" {
			t.Errorf("%v: the address is %s", s, got)
		}
	}
}

func TestStatesAreOfTheEndpoint(t *testing.T) {
	h := book(t, nil)
	must(t, h.Claim(ad("quic://Node.example.com:1"), hosts.Connecting))
	if got := h.StateOf(ad("quic://node.example.com:1/")); got != hosts.Connecting {
		t.Errorf("another spelling is %v", got)
	}
	must(t, h.Claim(ad("tcp://node.example.com:1"), hosts.Connecting))
	must(t, h.Claim(ad("quic://node.example.com:2"), hosts.Connecting))
	must(t, h.Claim(ad("unix:///run/a.sock"), hosts.Connected))
	must(t, h.Claim(ad("unix:///run/b.sock"), hosts.Connected))
}

func TestTheRegistryIsBounded(t *testing.T) {
	h := book(t, nil)
	for i := range 20_000 {
		must(t, h.Claim(lies(i, 1)[0], hosts.Connected))
	}
	if err := h.Claim(target, hosts.Connected); !errors.Is(err, hosts.ErrTooMany) {
		t.Errorf("got %v", err)
	}
	tell(h, stranger(1), target)
	if a, _, ok := h.Select(8); ok {
		t.Errorf("selected %s", a)
	}
	h.Release(lies(0, 1)[0])
	must(t, h.Claim(target, hosts.Connected))
}

// What is not on a list any more is not suspended either, so no state stays
// behind.
func TestNoStateOutlivesItsEntry(t *testing.T) {
	h := book(t, nil)
	into(t, h, hosts.Suspended)
	h.Drop(target)
	if got := h.StateOf(target); got != hosts.Free {
		t.Errorf("dropped: %v", got)
	}
	h.Failed(target)
	if got := h.StateOf(target); got != hosts.Free || colour(h, target) != "refused" {
		t.Errorf("failed while on no list: %v, %s", got, colour(h, target))
	}
	must(t, h.Claim(target, hosts.Connecting))
	ban(t, h, target)
	h.Failed(target)
	if got := h.StateOf(target); got != hosts.Free || colour(h, target) != "black" {
		t.Errorf("failed when banned: %v, %s", got, colour(h, target))
	}
}

func TestMovesOfAConnection(t *testing.T) {
	wall := &clock{now}
	h := book(t, nil, hosts.WithClock(wall.Now))
	tellSeen(h, stranger(1), now-50, target)
	at := func(step string, c hosts.Colour, seen int64) {
		t.Helper()
		if got := contents(h, c)[target.String()]; got != fmt.Sprint(seen) {
			t.Errorf("%s: %v holds %v, want %d", step, c, contents(h, c), seen)
		}
		n := 0
		for other := hosts.Grey; other <= hosts.Black; other++ {
			n += h.Len(other)
		}
		if n != 1 {
			t.Errorf("%s: on %d lists", step, n)
		}
	}
	at("heard of", hosts.Grey, now-50)
	must(t, h.Claim(target, hosts.Connecting))
	wall.unix++
	h.Failed(target)
	at("not reached", hosts.Grey, now-50)
	must(t, h.Claim(target, hosts.Refining))
	h.Answered(target)
	at("refined", hosts.White, now+1)
	must(t, h.Claim(target, hosts.Connecting))
	wall.unix++
	must(t, h.Connected(target))
	at("connected", hosts.Gold, now+2)
	wall.unix += 100
	h.Disconnected(target, time.Minute)
	at("disconnected", hosts.Grey, now+102)
	ban(t, h, target)
	at("banned", hosts.Black, now+102)
	must(t, h.Connected(target))
	at("connected all the same", hosts.Black, now+102)
	h.Disconnected(target, time.Minute)
	tell(h, stranger(1), target)
	at("still banned", hosts.Black, now+102)
	h.Unban("8.8.8.8")
	tell(h, stranger(1), target)
	at("forgiven", hosts.Grey, now)
}

// Whoever is connected to is in use, be it fit for a list or not.
func TestWhatIsFitForNoListIsConnectedAllTheSame(t *testing.T) {
	own, seed := ad("tcp://9.9.9.9:1"), ad("tcp://7.7.7.7:1")
	h := book(t, func(s *hosts.Settings) { s.External, s.Seeds = []addr.Addr{own}, []addr.Addr{seed} })
	for _, a := range []addr.Addr{own, seed, ad("tcp://10.0.0.1:1"), ad("tcp://8.8.8.8:1/x"), ad("unix:///a"), ad("tcp://8.8.8.8")} {
		must(t, h.Connected(a))
		if c, s := colour(h, a), h.StateOf(a); c != "refused" || s != hosts.Connected {
			t.Errorf("%s is %s and %v", a, c, s)
		}
		if err := h.Connected(a); err == nil {
			t.Errorf("%s is connected twice", a)
		}
		h.Disconnected(a, time.Minute)
		h.Answered(a)
		h.Avoid(a, time.Minute)
		h.Failed(a)
		h.Silent(a)
		if c, s := colour(h, a), h.StateOf(a); c != "refused" || s != hosts.Free {
			t.Errorf("in the end %s is %s and %v", a, c, s)
		}
	}
}

// When a list is full what was seen longest ago makes room, but not what is in
// use.
func TestTheOldestWhiteOneMakesRoom(t *testing.T) {
	wall := &clock{now}
	h := book(t, nil, hosts.WithClock(wall.Now))
	for i := range 5000 {
		wall.unix++
		h.Answered(lies(i, 1)[0])
	}
	must(t, h.Claim(lies(0, 1)[0], hosts.Connected))
	h.Answered(target)
	for i, want := range []string{"white", "refused", "white"} {
		if got := colour(h, lies(i, 1)[0]); got != want {
			t.Errorf("number %d is %s, want %s", i, got, want)
		}
	}
	if n := h.Len(hosts.White); n != 5000 {
		t.Errorf("%d are white", n)
	}
}

// What we have been connected to keeps half of the grey list against what we
// only hear of.
func TestHearsayDoesNotDisplaceWhatWasConnected(t *testing.T) {
	h := book(t, nil)
	was := lies(0, 1500)
	for _, a := range was {
		gold(t, h, a)
		h.Disconnected(a, time.Minute)
	}
	for i := range 4000 {
		tell(h, stranger(i), ad("tcp://%d.%d.7.1:26", 60+i/250, 1+i%250))
	}
	if n := kept(h, was); n != 1000 || h.Len(hosts.Grey) != 2000 {
		t.Errorf("%d are left among %d, want 1,000 among 2,000", n, h.Len(hosts.Grey))
	}
	again := ad("tcp://200.1.1.1:1")
	gold(t, h, again)
	h.Disconnected(again, time.Minute)
	if got := colour(h, again); got != "grey" || kept(h, was) != 1000 {
		t.Errorf("one more is %s, and %d are left", got, kept(h, was))
	}
}
