package localnet

import (
	"slices"
	"testing"

	"dchat/p2p/addr"
)

func TestTheNodesKnowOnlyTheSeedAndFindEachOther(t *testing.T) {
	const nodes, all = 5, 10
	var steps []int
	n := start(t, Config{Nodes: nodes, Progress: func(connected, pairs int) {
		if pairs != all {
			t.Errorf("%d pairs, want %d", pairs, all)
		}
		steps = append(steps, connected)
	}})
	if len(steps) == 0 || steps[len(steps)-1] != all || !slices.IsSorted(steps) || len(slices.Compact(slices.Clone(steps))) != len(steps) {
		t.Errorf("it came to be connected in the steps %v, want them to grow to %d", steps, all)
	}
	if got := n.pairs(); got != all {
		t.Errorf("%d pairs are connected, want %d", got, all)
	}
	for i, c := range n.chats {
		if s := c.P2p().Settings(); len(s.Peers) > 0 || !slices.Equal(s.Seeds, []addr.Addr{n.Seed()}) {
			t.Errorf("node %d knows the peers %v and the seeds %v", i+1, s.Peers, s.Seeds)
		}
	}
	if slices.Contains(n.Addrs(), n.Seed()) {
		t.Error("the seed is one of the nodes")
	}
}

// BenchmarkStart measures a seed and four nodes from nothing to each node connected to
// each other.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		n, err := Start(b.Context(), Config{Nodes: 4})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := n.Stop(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
