package session

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// caller is a connection of which only the peer matters.
type caller struct {
	transport.Conn
	peer addr.Addr
}

func (c caller) Peer() addr.Addr { return c.peer }

func from(ip string) caller {
	return caller{peer: addr.FromIP(addr.TCP, netip.AddrPortFrom(netip.MustParseAddr(ip), 7))}
}

// hosts are callers from as many hosts of IPv4.
func hostsOf(n int) []caller {
	var callers []caller
	for i := range n {
		callers = append(callers, from(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)))
	}
	return callers
}

// guestsWith are so many places, with callers that are past the handshake.
func guestsWith(t *testing.T, places int, local bool, open ...caller) *guests {
	t.Helper()
	g := newGuests(places, local)
	for _, c := range open {
		v, _ := g.admit(c)
		if v == nil {
			t.Fatalf("%v has no place", c.peer)
		}
		if err := v.stay(); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// wantAdmitted checks whether a newcomer gets a place, and whose.
func (g *guests) wantAdmitted(t *testing.T, newcomer caller, admitted bool, insteadOf ...caller) {
	t.Helper()
	v, evicted := g.admit(newcomer)
	if (v != nil) != admitted {
		t.Errorf("%v has a place: %v, want %v", newcomer.peer, v != nil, admitted)
	}
	switch {
	case len(insteadOf) == 0 && evicted != nil:
		t.Errorf("%v got the place of %v, want that of nobody", newcomer.peer, evicted.Peer())
	case len(insteadOf) > 0 && (evicted == nil || evicted.Peer() != insteadOf[0].peer):
		t.Errorf("%v got the place of %v, want that of %v", newcomer.peer, evicted, insteadOf[0].peer)
	}
}

func TestR1AHostHasAShareOfThePlaces(t *testing.T) {
	for _, c := range []struct {
		name   string
		places int
		local  bool
		ips    func(i int) string
		want   int
	}{
		{"one of IPv4", 40, false, func(int) string { return "1.2.3.4" }, 10},
		{"one /64 of IPv6", 40, false, func(i int) string { return fmt.Sprintf("2600:1:2:3:%x::1", i) }, 10},
		{"many /64 of IPv6", 40, false, func(i int) string { return fmt.Sprintf("2600:1:2:%x::1", i) }, 40},
		{"many of IPv4", 40, false, func(i int) string { return fmt.Sprintf("1.2.3.%d", i) }, 40},
		{"IPv4 written as IPv6", 40, false, func(i int) string { return []string{"1.2.3.4", "::ffff:1.2.3.4"}[i%2] }, 10},
		{"few places", 8, false, func(int) string { return "1.2.3.4" }, 2},
		{"two places", 2, false, func(int) string { return "1.2.3.4" }, 2},
		{"one place", 1, false, func(int) string { return "1.2.3.4" }, 1},
		{"no place", 0, false, func(int) string { return "1.2.3.4" }, 0},
		{"this machine", 40, false, func(int) string { return "127.0.0.1" }, 10},
		{"this machine on a local network", 40, true, func(int) string { return "127.0.0.1" }, 40},
		{"another machine on a local network", 40, true, func(int) string { return "192.168.0.1" }, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGuests(c.places, c.local)
			got := 0
			for i := range 200 {
				v, evicted := g.admit(from(c.ips(i)))
				if v == nil {
					continue
				}
				if evicted != nil {
					t.Fatal("a guest that was past the handshake had to go")
				}
				if err := v.stay(); err != nil {
					t.Fatal(err)
				}
				got++
			}
			if got != c.want {
				t.Errorf("%d have a place, want %d", got, c.want)
			}
		})
	}
}

func TestAPlaceThatIsGivenBackIsFree(t *testing.T) {
	g := newGuests(2, false)
	one, _ := g.admit(from("1.1.1.1"))
	two, _ := g.admit(from("1.1.1.1"))
	if err := one.stay(); err != nil {
		t.Fatal(err)
	}
	if err := two.stay(); err != nil {
		t.Fatal(err)
	}
	g.wantAdmitted(t, from("2.2.2.2"), false)
	one.leave()
	one.leave() // twice is once
	g.wantAdmitted(t, from("2.2.2.2"), true)
	g.wantAdmitted(t, from("3.3.3.3"), false)
	if len(g.of) != 2 || g.count != 2 {
		t.Errorf("%d guests of %d hosts, want 2 of 2", g.count, len(g.of))
	}
}

func TestWhoIsInTheHandshakeMakesRoom(t *testing.T) {
	a, b, c := from("1.1.1.1"), from("2.2.2.2"), from("3.3.3.3")
	open := hostsOf(6)
	t.Run("the oldest of the most crowded host, at once", func(t *testing.T) {
		g := guestsWith(t, 9, false, open...)
		for _, silent := range []caller{b, a, a} {
			g.wantAdmitted(t, silent, true)
		}
		g.wantAdmitted(t, c, true, a)
		// Now everybody has one.
		g.wantAdmitted(t, from("4.4.4.4"), false)
	})
	t.Run("one of its own, when that makes its host the most crowded", func(t *testing.T) {
		g := guestsWith(t, 8, false, open...)
		g.wantAdmitted(t, a, true)
		g.wantAdmitted(t, b, true)
		g.wantAdmitted(t, b, true, b)
	})
	t.Run("one of its own, when its host has its share", func(t *testing.T) {
		g := guestsWith(t, 20, false, a, a, a, a)
		g.wantAdmitted(t, b, true)
		g.wantAdmitted(t, a, true)
		g.wantAdmitted(t, a, true, a)
	})
	t.Run("nobody, when its host has its share and all are open", func(t *testing.T) {
		g := guestsWith(t, 8, false, a, a)
		g.wantAdmitted(t, b, true)
		g.wantAdmitted(t, a, false)
	})
	t.Run("the oldest of all, after a while, when no host has more than others", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := guestsWith(t, 8, false, open...)
			g.wantAdmitted(t, a, true)
			<-time.After(100 * time.Millisecond)
			g.wantAdmitted(t, b, true)
			<-time.After(399 * time.Millisecond)
			g.wantAdmitted(t, c, false)
			<-time.After(time.Millisecond)
			g.wantAdmitted(t, c, true, a)
			g.wantAdmitted(t, a, false)
		})
	})
	t.Run("on this machine none is of a host, so the oldest of all", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			here := from("127.0.0.1")
			g := guestsWith(t, 3, true, here)
			g.wantAdmitted(t, here, true)
			g.wantAdmitted(t, here, true)
			g.wantAdmitted(t, here, false)
			<-time.After(greetTime)
			g.wantAdmitted(t, here, true, here)
		})
	})
	t.Run("sixty-four at a time, however many places there are", func(t *testing.T) {
		g := newGuests(10_000, false)
		hosts := hostsOf(65)
		for _, h := range hosts[:64] {
			g.wantAdmitted(t, h, true)
		}
		g.wantAdmitted(t, hosts[64], false)
		g.wantAdmitted(t, hosts[3], true, hosts[3])
	})
}

func TestWhoLostItsPlaceCannotStayAndFreesNoOther(t *testing.T) {
	g := newGuests(2, false)
	v, _ := g.admit(from("1.1.1.1"))
	g.wantAdmitted(t, from("1.1.1.1"), true)
	g.wantAdmitted(t, from("2.2.2.2"), true, from("1.1.1.1"))
	if err := v.stay(); err == nil {
		t.Error("it stays")
	}
	v.leave()
	if g.count != 2 {
		t.Errorf("%d places are taken, want 2", g.count)
	}
}

// TestOneHostCannotPushAnotherOut lets one host do what it likes: somebody else who
// needs less than greetTime for the handshake always gets a place and keeps it.
func TestOneHostCannotPushAnotherOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attacker := from("6.6.6.6")
		for round := range 200 {
			random := rand.New(rand.NewPCG(uint64(round), 0))
			g := newGuests(8, false)
			var open []*guest
			attack := func() {
				for range random.IntN(40) {
					<-time.After(time.Duration(random.IntN(20)) * time.Millisecond)
					v, _ := g.admit(attacker)
					if v != nil && random.IntN(3) == 0 && v.stay() == nil {
						open = append(open, v)
					}
					if len(open) > 0 && random.IntN(4) == 0 {
						open[0].leave()
						open = open[1:]
					}
				}
			}
			for i, honest := range hostsOf(6) {
				attack()
				v, _ := g.admit(honest)
				if v == nil {
					t.Fatalf("round %d: honest peer %d has no place", round, i)
				}
				attack()
				if err := v.stay(); err != nil {
					t.Fatalf("round %d: honest peer %d: %v", round, i, err)
				}
			}
		}
	})
}

func TestTheBooksAreRightWhateverHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		g := newGuests(16, false)
		callers := hostsOf(10)
		var inside []*guest
		for range 20_000 {
			<-time.After(time.Duration(random.IntN(60)) * time.Millisecond)
			switch i := random.IntN(max(len(inside), 1)); {
			case random.IntN(2) == 0:
				if v, _ := g.admit(callers[random.IntN(len(callers))]); v != nil {
					inside = append(inside, v)
				}
			case len(inside) > 0 && random.IntN(2) == 0:
				_ = inside[i].stay() // it may have lost its place
			case len(inside) > 0:
				inside[i].leave()
				inside = slices.Delete(inside, i, i+1)
			}
			inside = slices.DeleteFunc(inside, func(v *guest) bool { return v.gone })
			of := make(map[netip.Prefix]int)
			for _, v := range inside {
				of[v.host]++
				if of[v.host] > g.share {
					t.Fatalf("%v has %d places", v.host, of[v.host])
				}
			}
			if g.count != len(inside) || g.count > g.places || len(g.of) != len(of) {
				t.Fatalf("%d guests of %d hosts in the books, %d of %d inside", g.count, len(g.of), len(inside), len(of))
			}
		}
	})
}
