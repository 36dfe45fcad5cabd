package hosts_test

import (
	"errors"
	"fmt"
	"testing"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
)

func asRefused(err error, target **hosts.RefusedError) bool { return errors.As(err, target) }

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
		{"move", func(h *hosts.Hosts) error { return h.Move(target, hosts.White) }, 0, true, []bool{true, true, true, true, false}},
		{"suspend", func(h *hosts.Hosts) error {
			if h.StateOf(target) == hosts.Free { // only what is on a list
				tell(h, stranger(1), target)
			} else if h.StateOf(target) != hosts.Suspended {
				if err := h.Move(target, hosts.White); err != nil {
					return err
				}
			}
			return h.Suspend(target)
		}, hosts.Suspended, false, []bool{true, true, true, true, false}},
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
		t.Errorf("suspended while on no list: %v, %s", got, colour(h, target))
	}
	must(t, h.Claim(target, hosts.Connecting))
	ban(t, h, target)
	h.Failed(target)
	if got := h.StateOf(target); got != hosts.Free || colour(h, target) != "black" {
		t.Errorf("suspended when banned: %v, %s", got, colour(h, target))
	}
}

func TestResumeFreesWhatIsSuspended(t *testing.T) {
	h := book(t, nil)
	into(t, h, hosts.Suspended)
	must(t, h.Claim(ad("tcp://9.9.9.9:1"), hosts.Connected))
	if _, _, ok := h.Select(8); ok {
		t.Error("a suspended address was selected")
	}
	h.Resume()
	if a, _, ok := h.Select(8); !ok || a != target {
		t.Errorf("selected %v", a)
	}
	if got := h.StateOf(ad("tcp://9.9.9.9:1")); got != hosts.Connected {
		t.Errorf("a connected address became %v", got)
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
	h.Release(target)
	at("refined", hosts.White, now+1)
	must(t, h.Claim(target, hosts.Connecting))
	must(t, h.Claim(target, hosts.Connected))
	wall.unix++
	gold(t, h, target)
	at("connected", hosts.Gold, now+2)
	wall.unix += 100
	h.Disconnected(target, time.Minute)
	h.Release(target)
	at("disconnected", hosts.Grey, now+102)
	ban(t, h, target)
	at("banned", hosts.Black, now+102)
	refused := (*hosts.RefusedError)(nil)
	for _, c := range []hosts.Colour{hosts.Grey, hosts.White, hosts.Gold, hosts.Dark} {
		if err := h.Move(target, c); !errors.As(err, &refused) {
			t.Errorf("to %v: got %v, want a RefusedError", c, err)
		}
	}
	at("still banned", hosts.Black, now+102)
	h.Drop(target)
	tell(h, stranger(1), target)
	at("forgiven", hosts.Grey, now)
}

func TestMoveOfAnAddressOnNoListIsJudged(t *testing.T) {
	own, seed := ad("tcp://9.9.9.9:1"), ad("tcp://7.7.7.7:1")
	h := book(t, func(s *hosts.Settings) { s.External, s.Seeds = []addr.Addr{own}, []addr.Addr{seed} })
	refused := (*hosts.RefusedError)(nil)
	for _, a := range []addr.Addr{own, seed, ad("tcp://10.0.0.1:1"), ad("tcp://8.8.8.8:1/x"), ad("unix:///a"), ad("tcp://8.8.8.8")} {
		if err := h.Move(a, hosts.Gold); !errors.As(err, &refused) || refused.Addr != a {
			t.Errorf("%s: got %v, want a RefusedError", a, err)
		}
	}
	if err := h.Move(ad("unix:///a"), hosts.Black); !errors.As(err, &refused) {
		t.Errorf("a ban of a unix socket: got %v", err)
	}
	gold(t, h, target)
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
