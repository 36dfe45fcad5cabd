package p2ptest_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/p2ptest"
)

// formed is a world of so many members that are all at their target, and know of
// each other.
func formed(t *testing.T, members int) *world {
	t.Helper()
	w := newWorld(t, usual)
	w.seed()
	w.grow(members)
	w.within(30*time.Second, outboundTarget, w.members...)
	<-time.After(2 * time.Minute)
	return w
}

// inTurn does something to each member and wants the others, and then it, back at
// their target soon.
func (w *world) inTurn(limit time.Duration, blow func(*p2ptest.Node)) {
	w.t.Helper()
	var worst time.Duration
	for _, n := range w.members {
		blow(n)
		<-time.After(time.Second) // the others may not have noticed yet
		worst = max(worst, time.Second+w.within(limit-time.Second, outboundTarget, w.members...))
	}
	w.t.Logf("back at the target after %v at worst", worst)
	w.wantNoBans()
}

func (w *world) wantNoBans() {
	w.t.Helper()
	if count := bans(slices.Concat(w.seeds, w.members)...); count > 0 {
		w.t.Errorf("%d bans among honest nodes", count)
	}
}

func TestEveryNodeIsRestartedInTurn(t *testing.T) {
	for name, blow := range map[string]func(*world, *p2ptest.Node){
		"stopped and started": func(w *world, n *p2ptest.Node) {
			if err := n.Stop(w.t.Context()); err != nil {
				w.t.Error(err)
			}
			w.start(n)
		},
		"killed and started": func(w *world, n *p2ptest.Node) {
			if err := n.Crash(w.t.Context()); err != nil {
				w.t.Error(err)
			}
			w.start(n)
		},
		"killed, and started after 10 s": func(w *world, n *p2ptest.Node) {
			if err := n.Crash(w.t.Context()); err != nil {
				w.t.Error(err)
			}
			<-time.After(10 * time.Second)
			w.start(n)
		},
		"paused for 10 s": func(_ *world, n *p2ptest.Node) {
			n.Stall()
			<-time.After(10 * time.Second)
			n.Resume()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := formed(t, 20)
				w.inTurn(20*time.Second, func(n *p2ptest.Node) { blow(w, n) })
			})
		})
	}
}

func TestTwoThirdsAreKilledAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := formed(t, 30)
		left := w.members[:10]
		for _, n := range w.members[10:] {
			if err := n.Crash(t.Context()); err != nil {
				t.Error(err)
			}
		}
		<-time.After(time.Second) // they have noticed
		t.Logf("the rest is back at its target after %v", time.Second+w.within(time.Minute, outboundTarget, left...))
		w.wantNoBans()
	})
}

func TestN1PartitionAndHeal(t *testing.T) {
	for _, c := range []struct{ parted, limit time.Duration }{
		{10 * time.Second, 20 * time.Second},
		{time.Minute, time.Minute},
		{10 * time.Minute, 2 * time.Minute},
	} {
		for _, smaller := range []int{1, 6, 10} {
			t.Run(fmt.Sprintf("%d of 20 apart for %v", smaller, c.parted), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := formed(t, 20)
					before := w.acquaintances()
					w.Partition(w.members[:smaller], slices.Concat(w.seeds, w.members[smaller:]))
					<-time.After(c.parted)
					w.Heal()
					var took time.Duration
					if smaller == 10 { // each half has enough for itself
						took = w.within(c.limit, outboundTarget, w.members...)
					} else {
						took = w.whole(c.limit)
					}
					t.Logf("%v after the end of the partition all are at their target; there are %d networks", took, w.components())
					if after := w.acquaintances(); after < before {
						t.Errorf("the nodes knew %d addresses of each other, now %d", before, after)
					}
					w.wantNoBans()
				})
			})
		}
	}
}

// acquaintances counts who knows whose address.
func (w *world) acquaintances() int {
	count := 0
	for _, n := range w.members {
		for _, other := range w.members {
			if _, ok := n.Hosts().ColourOf(other.Addr()); ok {
				count++
			}
		}
	}
	return count
}

// whole waits until all members are at their target, and in one network, and
// returns how long that took.
func (w *world) whole(limit time.Duration) time.Duration {
	w.t.Helper()
	began := time.Now()
	for {
		w.within(limit-time.Since(began), outboundTarget, w.members...)
		if w.components() == 1 {
			return time.Since(began)
		}
		if time.Since(began) > limit {
			w.t.Fatalf("not within %v: there are %d networks", limit, w.components())
		}
		<-time.After(100 * time.Millisecond)
	}
}

// components is of how many networks the members are.
func (w *world) components() int {
	number := make(map[addr.Addr]int)
	for i, n := range w.members {
		number[n.Addr()] = i
	}
	group := make([]int, len(w.members))
	for i := range group {
		group[i] = i
	}
	for i, n := range w.members {
		for _, ch := range n.Channels() {
			j, ok := number[ch.Addr()]
			if !ok || ch.Kind() != channel.Outbound {
				continue
			}
			from, to := group[j], group[i]
			for k := range group {
				if group[k] == from {
					group[k] = to
				}
			}
		}
	}
	slices.Sort(group)
	return len(slices.Compact(group))
}

func TestN2APeerThatVanishesIsDetected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := formed(t, 12)
		gone := w.members[0]
		gone.Stall()
		began := time.Now()
		for _, n := range w.members[1:] {
			for has(n, gone) {
				if time.Since(began) > 46*time.Second {
					t.Fatalf("%v still has its peer that vanished", n.Addr())
				}
				<-time.After(100 * time.Millisecond)
			}
		}
		t.Logf("the last noticed after %v", time.Since(began))
		w.within(20*time.Second, outboundTarget, w.members[1:]...)
		w.wantNoBans()
	})
}

// has tells whether a node has a connection from or to another.
func has(n, other *p2ptest.Node) bool {
	return slices.ContainsFunc(n.Channels(), func(ch *channel.Channel) bool {
		return ch.Addr().Hostname() == other.Addr().Hostname()
	})
}

func TestN6APeerThatHangs(t *testing.T) {
	for _, c := range []struct {
		hangs  time.Duration
		remain bool
	}{{10 * time.Second, true}, {time.Minute, false}} {
		t.Run(c.hangs.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := formed(t, 12)
				n := w.members[0]
				var before []uint32
				for _, ch := range n.Channels() {
					before = append(before, ch.ID())
				}
				n.Stall()
				<-time.After(c.hangs)
				n.Resume()
				took := w.within(time.Minute, outboundTarget, w.members...)
				remain := 0
				for _, ch := range n.Channels() {
					if slices.Contains(before, ch.ID()) {
						remain++
					}
				}
				t.Logf("%d of %d connections remain; all are at their target after %v", remain, len(before), took)
				if c.remain && remain != len(before) || !c.remain && remain > 0 {
					t.Errorf("%d of %d connections remain", remain, len(before))
				}
				w.wantNoBans()
			})
		})
	}
}

func TestN10SeedsThatAreDownForAnHour(t *testing.T) {
	for name, fault := range map[string]struct{ begin, end func(*world) }{
		"refusing": {
			func(w *world) {
				for _, n := range w.seeds {
					if err := n.Crash(w.t.Context()); err != nil {
						w.t.Error(err)
					}
				}
			},
			func(w *world) {
				for _, n := range w.seeds {
					w.start(n)
				}
			},
		},
		"silent": {
			func(w *world) {
				for _, n := range w.seeds {
					n.Stall()
				}
			},
			func(w *world) {
				for _, n := range w.seeds {
					n.Resume()
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, usual)
				w.seed()
				w.seed()
				w.grow(10)
				w.within(30*time.Second, outboundTarget, w.members...)
				for _, n := range w.members[1:] {
					if err := n.Crash(t.Context()); err != nil {
						t.Error(err)
					}
				}
				fault.begin(w)
				began := len(w.dials())
				<-time.After(time.Hour)
				for _, seed := range w.seeds {
					count := 0
					for _, d := range w.dials()[began:] {
						if d.To == seed.Addr() {
							count++
						}
					}
					t.Logf("%d attempts to reach %v", count, seed.Addr())
					if most := int(time.Hour / (30 * time.Second)); count > most || count < 20 {
						t.Errorf("%d attempts to reach a seed in an hour, want 20 to %d", count, most)
					}
				}
				fault.end(w)
				for _, n := range w.members[1:] {
					w.start(n)
				}
				t.Logf("back at the target after %v", w.within(time.Minute, outboundTarget, w.members...))
				w.wantNoBans()
			})
		})
	}
}
