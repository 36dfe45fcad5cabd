package hosts_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
)

// slots fills eight slots with addresses that answer and returns how many are
// evil; no two may hold more of a /16 than two.
func slots(t *testing.T, h *hosts.Hosts, clock *watch, answers func(addr.Addr) (evil, ok bool)) (evil int) {
	t.Helper()
	var picked []addr.Addr
	networks := map[string]int{}
	for held := 0; held < 8; {
		a, _, ok := h.Select(8)
		if !ok {
			t.Fatalf("nothing for slot %d", held)
		}
		picked = append(picked, a)
		bad, live := answers(a)
		if !live {
			h.Failed(a)
			continue
		}
		if bad {
			evil++
		}
		held++
		octets := strings.SplitN(a.Host(), ".", 3)
		if networks[octets[0]+"."+octets[1]]++; networks[octets[0]+"."+octets[1]] > 2 {
			t.Fatalf("three slots for one /16 of %v", picked)
		}
	}
	for _, a := range picked {
		h.Release(a)
	}
	clock.pass(2 * time.Minute)
	return evil
}

// evilOne is one of 10,000 addresses in 16 networks, honestOne one of 200 in 150.
func evilOne(i int) addr.Addr   { return ad("tcp://150.%d.%d.%d:1", 1+i%16, i/16%250, 1+i/4000) }
func honestOne(i int) addr.Addr { return ad("tcp://%d.%d.%d.1:26", 11+i%80, 1+i%150, i/150) }

func TestA3FewNetworksDoNotTakeTheWhiteList(t *testing.T) {
	clock := newWatch()
	h := book(t, nil, hosts.WithClock(clock.Now))
	var honest []addr.Addr
	for i := range 200 {
		honest = append(honest, honestOne(i))
		h.Answered(honestOne(i))
	}
	clock.pass(time.Hour)
	for i := range 6000 {
		h.Answered(evilOne(i))
	}
	if n := kept(h, honest); n != 200 || h.Len(hosts.White) != 5000 {
		t.Errorf("%d of 200 honest addresses are left among %d", n, h.Len(hosts.White))
	}
}

// An attacker has 10,000 addresses in 16 networks, all of them better by the file
// than the 200 honest ones in 150 networks. 20 restarts, 500 choices each.
func TestA3EclipseAfterARestart(t *testing.T) {
	for _, colour := range []string{"grey", "white", "gold"} {
		var b strings.Builder
		for i := range 10_000 {
			fmt.Fprintf(&b, "%s\t%s\t%d\n", colour, evilOne(i), now-i%1000)
		}
		for i := range 200 {
			fmt.Fprintf(&b, "%s\t%s\t%d\n", colour, honestOne(i), now-24*3600)
		}
		path := hostlist(t)
		writeFile(t, path, b.String())
		eclipsed, evil := 0, 0
		for seed := range uint64(20) {
			clock := newWatch()
			h := hosts.New(hosts.Settings{Dialable: []string{"tcp"}, KnownPeerPercent: 70, File: path}, nopLog,
				hosts.WithClock(clock.Now), hosts.WithRand(rand.NewPCG(seed, 3)))
			must(t, h.Load(t.Context()))
			must(t, h.Close())
			for range 500 {
				n := slots(t, h, clock, func(a addr.Addr) (bool, bool) { return strings.HasPrefix(a.Host(), "150."), true })
				evil += n
				if n == 8 {
					eclipsed++
				}
			}
		}
		t.Logf("%s: %d of 10,000 eclipsed, %.2f of 8 slots evil on average", colour, eclipsed, float64(evil)/10_000)
		if eclipsed >= 10 {
			t.Errorf("%s: eclipsed in %d of 10,000 runs, want less than 1 in 1,000", colour, eclipsed)
		}
	}
}

// Attackers have a tenth of the addresses, each in a network of its own, and
// after honest peers have told all addresses nobody but the attackers talks: of
// themselves and of addresses that they invent. 10 nodes, 1,000 choices each.
func TestA3EclipseByTalk(t *testing.T) {
	const network, evil = 2000, 200
	number := map[addr.Addr]int{}
	for i := range network {
		number[apart(i)] = i
	}
	honestPeer := func(i int) addr.Addr { return apart(evil + 40*i) }
	for name, known := range map[string]int{"a node that is new": 0, "a node that knows a hundred": 100} {
		eclipsed, bad := 0, 0
		for seed := range uint64(10) {
			clock := newWatch()
			h := hosts.New(hosts.Settings{Dialable: []string{"tcp"}, KnownPeerPercent: 70}, nopLog,
				hosts.WithClock(clock.Now), hosts.WithRand(rand.NewPCG(seed, 3)))
			order := rand.New(rand.NewPCG(seed, 4)).Perm(network)
			for n, i := range order {
				tell(h, honestPeer(n%40), apart(i))
				if n < known {
					h.Answered(apart(i))
				}
			}
			for round := range 2 {
				for peer := range evil {
					var told []addr.Addr
					for i := range 20 {
						told = append(told, apart((peer+i)%evil))
					}
					h.Asked(apart(peer))
					tell(h, apart(peer), append(told, lies((round*evil+peer)*80, 80)...)...)
				}
			}
			for range 1000 {
				n := slots(t, h, clock, func(a addr.Addr) (bool, bool) {
					i, exists := number[a]
					return i < evil, exists
				})
				bad += n
				if n == 8 {
					eclipsed++
				}
			}
		}
		t.Logf("%s: %d of 10,000 eclipsed, %.2f of 8 slots evil on average", name, eclipsed, float64(bad)/10_000)
		if eclipsed >= 10 {
			t.Errorf("%s: eclipsed in %d of 10,000 runs, want less than 1 in 1,000", name, eclipsed)
		}
	}
}
