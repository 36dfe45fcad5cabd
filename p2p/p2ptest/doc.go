// Package p2ptest helps to test nodes and the protocols on them.
//
// A Network is a network of real nodes inside the test, with latency, loss,
// partitions, and nodes that hang or crash. In a bubble of package
// testing/synctest its time is virtual: hundreds of nodes live through an hour in
// a second or two.
//
//	func TestMyProtocol(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			network := p2ptest.NewNetwork(p2ptest.Config{Seed: 1, Latency: 20 * time.Millisecond})
//			defer network.Stop(context.Background())
//			…
//		})
//	}
//
// A Peer is one end of a connection that speaks frames by hand, well or badly. It
// works in a Network, over Network.From, as anywhere else.
//
// # The same run again
//
// All chance in the network and in its nodes comes from Config.Seed. How long
// bytes are under way depends on the seed, on who sends them and on when, never on
// what else goes on; and in virtual time no two things arrive at one instant. So
// under runtime.GOMAXPROCS(1), with nodes that start at different times, a test with the same
// seed is the same run: who dials whom, when to the nanosecond, and what comes of it. With
// more processors goroutines of one node that have something to do at
// one instant come in any order, and runs with the same seed are alike, not the
// same.
package p2ptest
