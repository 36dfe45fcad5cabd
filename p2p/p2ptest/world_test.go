package p2ptest_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/p2ptest"
	"dchat/p2p/session"
)

// outboundTarget is how many connections each member makes.
const outboundTarget = 8

// usual is the network of most tests: one as between the towns of a continent.
var usual = p2ptest.Config{Seed: 1, Latency: 20 * time.Millisecond, Jitter: 10 * time.Millisecond}

// world is a network under test: seeds, and members that know only these.
type world struct {
	*p2ptest.Network
	t       testing.TB
	began   time.Time
	seeds   []*p2ptest.Node
	members []*p2ptest.Node

	tracing sync.Mutex
	traced  []p2ptest.Dialled
}

// newWorld makes a network without nodes. All is stopped at the end.
func newWorld(t testing.TB, config p2ptest.Config) *world {
	t.Helper()
	w := &world{t: t, began: time.Now()}
	config.Trace = func(d p2ptest.Dialled) {
		w.tracing.Lock()
		defer w.tracing.Unlock()
		w.traced = append(w.traced, d)
	}
	w.Network = p2ptest.NewNetwork(config)
	t.Cleanup(func() {
		w.Heal()
		for _, n := range slices.Concat(w.seeds, w.members) {
			n.Resume()
		}
		if err := w.Stop(context.WithoutCancel(w.t.Context())); err != nil {
			t.Error(err)
		}
	})
	return w
}

// dials are all attempts to connect so far.
func (w *world) dials() []p2ptest.Dialled {
	w.tracing.Lock()
	defer w.tracing.Unlock()
	return slices.Clone(w.traced)
}

// seedNode is a node that others ask for addresses.
func seedNode(s *p2p.Settings) {
	s.SeedNode, s.OutboundConnections, s.BanPolicy = true, 0, p2p.BanRelaxed
	s.InboundConnections = 512
}

// seed adds a seed and starts it.
func (w *world) seed() *p2ptest.Node {
	w.t.Helper()
	n := w.node(seedNode)
	w.seeds = append(w.seeds, n)
	w.start(n)
	return n
}

// member makes a node that knows the seeds.
func (w *world) member(changes ...func(*p2p.Settings)) *p2ptest.Node {
	w.t.Helper()
	n := w.node(func(s *p2p.Settings) {
		s.OutboundConnections, s.InboundConnections = outboundTarget, 64
		for _, seed := range w.seeds {
			s.Seeds = append(s.Seeds, seed.Addr())
		}
		for _, change := range changes {
			change(s)
		}
	})
	w.members = append(w.members, n)
	return n
}

func (w *world) node(change func(*p2p.Settings)) *p2ptest.Node {
	w.t.Helper()
	n, err := w.Node(change)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) start(n *p2ptest.Node) {
	w.t.Helper()
	if err := n.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// grow adds so many members and starts them, a moment apart.
func (w *world) grow(count int) {
	w.t.Helper()
	for range count {
		w.start(w.member())
		<-time.After(time.Millisecond)
	}
}

// connected is how many of a node's slots are.
func connected(n *p2ptest.Node) int {
	count := 0
	for _, s := range n.Slots() {
		if s.State == session.SlotConnected {
			count++
		}
	}
	return count
}

// peers is how many a node has.
func peers(n *p2ptest.Node) int {
	return len(n.Channels())
}

// within waits until all the nodes have so many outbound connections, and returns how
// long that took.
func (w *world) within(limit time.Duration, target int, nodes ...*p2ptest.Node) time.Duration {
	w.t.Helper()
	began := time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for _, n := range nodes {
		for connected(n) < target {
			if time.Since(began) > limit {
				w.t.Fatalf("not within %v: %s", limit, w.describe(nodes, target))
			}
			<-tick.C
		}
	}
	return time.Since(began)
}

// describe says which nodes lack connections.
func (w *world) describe(nodes []*p2ptest.Node, target int) string {
	var text string
	lacking := 0
	for _, n := range nodes {
		if connected(n) >= target {
			continue
		}
		if lacking++; lacking <= 3 {
			text += fmt.Sprintf("\n%v: %d of %d connected, %d peers:", n.Addr(), connected(n), target, peers(n))
			for _, s := range n.Slots() {
				text += fmt.Sprintf("\n    %v %v for %v: %v", s.State, s.Addr, time.Since(s.Since), s.Err)
			}
		}
	}
	return fmt.Sprintf("%d of %d nodes lack connections%s", lacking, len(nodes), text)
}

// bans is how many hosts the nodes have banned.
func bans(nodes ...*p2ptest.Node) int {
	count := 0
	for _, n := range nodes {
		count += len(n.Hosts().Bans())
	}
	return count
}

// addresses are those of nodes.
func addresses(nodes []*p2ptest.Node) []addr.Addr {
	var addrs []addr.Addr
	for _, n := range nodes {
		addrs = append(addrs, n.Addr())
	}
	return addrs
}
