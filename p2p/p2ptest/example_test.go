package p2ptest_test

import (
	"context"
	"fmt"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/p2ptest"
)

// In a test of package testing/synctest none of this would take any time.
func ExampleNetwork() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	network := p2ptest.NewNetwork(p2ptest.Config{Seed: 1, Latency: time.Millisecond})
	defer network.Stop(ctx) //nolint:errcheck // the example ends here

	seed, err := network.Node(func(s *p2p.Settings) {
		s.SeedNode, s.BanPolicy, s.OutboundConnections = true, p2p.BanRelaxed, 0
	})
	if err != nil {
		panic(err)
	}
	nodes := []*p2ptest.Node{seed}
	for range 5 {
		node, err := network.Node(func(s *p2p.Settings) { s.Seeds = []addr.Addr{seed.Addr()} })
		if err != nil {
			panic(err)
		}
		nodes = append(nodes, node)
	}
	for _, node := range nodes {
		if err := node.Start(ctx); err != nil {
			panic(err)
		}
	}
	for _, node := range nodes[1:] {
		if err := node.Connected(ctx, 4); err != nil {
			panic(err)
		}
	}
	fmt.Println("everybody has found the others")
	// Output: everybody has found the others
}
