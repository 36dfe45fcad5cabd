package p2ptest_test

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/p2ptest"
)

// cost is what a node takes of the machine.
type cost struct {
	bytes float64       // of heap and stack
	cpu   time.Duration // of forming the network and a minute in it
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
			real := time.Now()
			synctest.Test(t, func(t *testing.T) {
				w, before := newWorld(t, usual), machine()
				w.seed()
				w.grow(c.nodes)
				took := w.within(c.virtual, min(outboundTarget, c.nodes-1), w.members...)
				t.Logf("all at their target %v after the last was started; %d dials", took, len(w.dials))
				<-time.After(time.Minute)
				costs[c.nodes] = machine().since(before, c.nodes)
			})
			took := time.Since(real)
			t.Logf("real time %v; a node takes %.0f KiB and %v of CPU", took, costs[c.nodes].bytes/1024, costs[c.nodes].cpu)
			if took > c.real && !underRace {
				t.Errorf("it took %v of real time, want at most %v", took, c.real)
			}
		})
	}
	for nodes, c := range costs {
		if few := costs[10]; c.bytes > 1.5*few.bytes || c.cpu > 2*few.cpu {
			t.Errorf("of %d nodes each takes %.0f bytes and %v, of ten %.0f bytes and %v: it grows with their number", nodes, c.bytes, c.cpu, few.bytes, few.cpu)
		}
	}
}

// machine is what has been taken of the machine so far.
func machine() cost {
	runtime.GC() // which also brings the counters up to date
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}, {Name: "/cpu/classes/user:cpu-seconds"}}
	metrics.Read(samples)
	return cost{
		bytes: float64(samples[0].Value.Uint64() + samples[1].Value.Uint64()),
		cpu:   time.Duration(samples[2].Value.Float64() * float64(time.Second)),
	}
}

// since is what a node has taken since then.
func (c cost) since(before cost, nodes int) cost {
	return cost{(c.bytes - before.bytes) / float64(nodes), (c.cpu - before.cpu) / time.Duration(nodes)}
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
