//go:build unix

package p2ptest_test

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/p2ptest"
)

// cost is what a node takes of the machine.
type cost struct {
	bytes float64       // of heap and stack
	cpu   time.Duration // of a while
}

func TestStrangersThatKnowOneSeedConverge(t *testing.T) {
	costs := make(map[int]cost)
	for _, c := range []struct {
		nodes         int
		virtual, real time.Duration
	}{
		{10, 30 * time.Second, 10 * time.Second},
		{100, 30 * time.Second, 10 * time.Second},
		{1000, time.Minute, time.Minute},
	} {
		if underRace && c.nodes > 100 {
			continue // the race detector makes it take minutes
		}
		t.Run(fmt.Sprint(c.nodes, " nodes"), func(t *testing.T) {
			real, cpu, each := converge(t, c.nodes, c.virtual)
			costs[c.nodes] = each
			t.Logf("it took %v of real time, %v of CPU; then a node takes %.0f KiB, and %v of CPU a minute", real, cpu, each.bytes/1024, each.cpu)
			if min(real, cpu) > c.real && !underRace { // a machine that has other things to do takes longer
				t.Errorf("it took %v of real time, %v of CPU, want at most %v", real, cpu, c.real)
			}
		})
	}
	for nodes, each := range costs {
		if underRace {
			break // the detector's own costs
		}
		// Of ten nodes each has nine peers, where others have sixteen, and they know too few
		// addresses to go on trying some.
		some := costs[100]
		if each.bytes > 1.5*some.bytes {
			t.Errorf("of %d nodes each takes %.0f bytes, of a hundred %.0f: it grows with their number", nodes, each.bytes, some.bytes)
		}
		if each.cpu > 2*some.cpu {
			t.Errorf("of %d nodes each takes %v, of a hundred %v: it grows with their number", nodes, each.cpu, some.cpu)
		}
	}
}

// converge forms a network and returns what that took, in real time and of the
// CPU, and what each node costs when it is at rest.
func converge(t *testing.T, nodes int, limit time.Duration) (real, cpu time.Duration, each cost) {
	t.Helper()
	before, began := machine(), realTime()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, usual)
		w.seed()
		w.grow(nodes)
		took := w.within(limit, min(outboundTarget, nodes-1), w.members...)
		real, cpu = realTime()-began, machine().cpu-before.cpu
		t.Logf("all are at their target %v after the last was started; %d dials", took, len(w.dials()))
		<-time.After(time.Minute)
		resting := machine()
		<-time.After(time.Minute)
		after := machine()
		each = cost{after.since(before, nodes).bytes, after.since(resting, nodes).cpu}
	})
	return real, cpu, each
}

// machine is what has been taken of the machine so far.
func machine() cost {
	runtime.GC()
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(samples)
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used) // it cannot fail
	return cost{
		bytes: float64(samples[0].Value.Uint64() + samples[1].Value.Uint64()),
		cpu:   time.Duration(used.Utime.Nano() + used.Stime.Nano()),
	}
}

// since is what a node has taken since then.
func (c cost) since(before cost, nodes int) cost {
	return cost{(c.bytes - before.bytes) / float64(nodes), (c.cpu - before.cpu) / time.Duration(nodes)}
}

// realTime is the time by a clock that is the same in a bubble.
func realTime() time.Duration {
	var now syscall.Timeval
	_ = syscall.Gettimeofday(&now) // it cannot fail
	return time.Duration(now.Nano())
}

// BenchmarkNetwork forms networks in real time.
func BenchmarkNetwork(b *testing.B) {
	for _, nodes := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint("nodes=", nodes), func(b *testing.B) {
			var c cost
			for b.Loop() {
				before := machine()
				w := &world{t: b, Network: p2ptest.NewNetwork(p2ptest.Config{Seed: 1})}
				w.seed()
				w.grow(nodes)
				w.within(time.Minute, outboundTarget, w.members...)
				c = machine().since(before, nodes)
				if err := w.Stop(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(c.bytes, "bytes/node")
			b.ReportMetric(c.cpu.Seconds()*1000, "cpu-ms/node")
		})
	}
}
