package p2p_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/p2ptest"
	"dchat/p2p/protocol"
	"dchat/p2p/transport"
)

// claimant connects to the node and says that these addresses are its own.
func (n *node) claimant(own ...addr.Addr) *p2ptest.Recording {
	n.t.Helper()
	p := n.dial()
	p.Version.ExtSendAddr = own
	p.Greet()
	return p.Record()
}

// heard is how many texts a peer has received.
func heard(r *p2ptest.Recording) (count int) {
	for _, command := range r.Commands() {
		if command == textCommand {
			count++
		}
	}
	return count
}

// both makes the node listen, and connect to these peers.
func both(peers ...addr.Addr) func(*p2p.Settings) {
	return func(s *p2p.Settings) { s.Peers = peers }
}

func TestATextGoesOutOnTheDialledOneOfTwoConnectionsOnly(t *testing.T) {
	for _, c := range []struct {
		name, listed string
		twins        bool
	}{
		{"the same address", "tcp://127.0.0.1:2000/", true},
		{"another spelling", "tcp://127.1:2000/path?query", true},
		{"another port", "tcp://127.0.0.1:2001/", false},
		{"another host", "tcp://127.0.0.2:2000/", false},
		{"another scheme", "tcp+tls://127.0.0.1:2000/", false},
		{"no port", "tcp://127.0.0.1/", false},
		{"no address at all", "foo:bar", false},
	} {
		for _, dialledFirst := range []bool{true, false} {
			t.Run(fmt.Sprint(c.name, ", dialled first: ", dialledFirst), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					set := memory()
					l, err := set.Listen(t.Context(), addr.MustParse("tcp://127.0.0.1:2000"))
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { _ = l.Close() })
					n := startNode(t, set, both(l.Addr()))
					p := p2ptest.Accept(t, l)
					var inbound, dialled *p2ptest.Recording
					if dialledFirst {
						p.Greet()
						dialled = p.Record()
					}
					inbound = n.claimant(addr.MustParse("tcp://example.org:1"), addr.MustParse(c.listed))
					if !dialledFirst {
						p.Greet()
						dialled = p.Record()
					}
					want := 2
					if c.twins {
						want = 1
					}
					n.broadcast("hello", want)
					synctest.Wait()
					if got := heard(inbound); got != want-1 || heard(dialled) != 1 {
						t.Errorf("the inbound connection got %d texts, want %d; the dialled one %d, want 1", got, want-1, heard(dialled))
					}
					if got := len(n.Channels()); got != 2 {
						t.Errorf("%d channels, want both", got)
					}
				})
			})
		}
	}
}

func TestTwinsKnowEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l := listen(t, set)
		n := startNode(t, set, both(l.Addr()))
		p2ptest.Accept(t, l).Greet()
		dialled := n.channel()
		if got := n.Twins(dialled); got != nil {
			t.Errorf("alone it has the twins %v", got)
		}
		n.claimant(l.Addr())
		first := n.channel()
		n.claimant(l.Addr(), l.Addr())
		second := n.channel()
		n.claimant()
		other := n.channel()
		for _, c := range []struct {
			ch   *channel.Channel
			want []*channel.Channel
		}{{dialled, []*channel.Channel{first, second}}, {first, []*channel.Channel{dialled}}, {second, []*channel.Channel{dialled}}, {other, nil}} {
			if got := n.Twins(c.ch); !slices.Equal(got, c.want) {
				t.Errorf("the twins of %v are %v, want %v", c.ch.Addr(), got, c.want)
			}
		}
		if allocs := testing.AllocsPerRun(100, func() { n.Twins(dialled); n.Twins(other) }); allocs != 0 {
			t.Errorf("asking costs %v allocations", allocs)
		}
		first.Close(channel.ErrStopped)
		synctest.Wait()
		if got := n.Twins(dialled); !slices.Equal(got, []*channel.Channel{second}) {
			t.Errorf("when one has ended the twins are %v", got)
		}
	})
}

func TestTheTwinIsSentToAtOnceWhenTheDialledConnectionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l := listen(t, set)
		n := startNode(t, set, both(l.Addr()))
		p := p2ptest.Accept(t, l)
		p.Greet()
		dialled := n.channel()
		inbound := n.claimant(l.Addr())
		n.broadcast("before", 1)
		// The peer goes on reading, so that our node waits for it to close.
		dialled.Close(protocol.ErrNoPong)
		synctest.Wait()
		n.broadcast("after", 1)
		synctest.Wait()
		if heard(inbound) != 1 || len(n.Channels()) != 1 {
			t.Errorf("the inbound one got %d texts, want the second; %d channels", heard(inbound), len(n.Channels()))
		}
		<-time.After(5 * time.Second) // the dialled one is back
		p2ptest.Accept(t, l).Greet()
		n.broadcast("again", 1)
		synctest.Wait()
		if heard(inbound) != 1 {
			t.Errorf("the inbound one got %d texts, want no more", heard(inbound))
		}
	})
}

func TestAnInboundPeerThatClaimsAnAddressTakesNothingFromItsOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		var owners []transport.Listener
		var addrs []addr.Addr
		for range 3 {
			owners = append(owners, listen(t, set))
			addrs = append(addrs, owners[len(owners)-1].Addr())
		}
		n := startNode(t, set, both(addrs...))
		var claimants, dialled []*p2ptest.Recording
		for range 3 {
			claimants = append(claimants, n.claimant(addrs...))
		}
		for _, l := range owners {
			p := p2ptest.Accept(t, l)
			p.Greet()
			dialled = append(dialled, p.Record())
		}
		honest := n.claimant()
		for range 3 {
			claimants = append(claimants, n.claimant(addrs...))
		}
		n.broadcast("to all that count", 4)
		synctest.Wait()
		for i, r := range append(dialled, honest) {
			if heard(r) != 1 {
				t.Errorf("honest peer %d got %d texts, want 1", i, heard(r))
			}
		}
		for i, r := range claimants {
			if heard(r) != 0 {
				t.Errorf("claimant %d got a text", i)
			}
		}
		ties := 0
		for _, ch := range n.Channels() {
			if ch.Kind() == channel.Manual {
				ties += len(n.Twins(ch))
			}
		}
		if ties != len(claimants) {
			t.Errorf("%d claimants are twins %d times, want each once", len(claimants), ties)
		}
	})
}

// TestOnlyTenOfTheAddressesThatAPeerListsCount: a handshake has room for hundreds.
func TestOnlyTenOfTheAddressesThatAPeerListsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l := listen(t, set)
		n := startNode(t, set, both(l.Addr()))
		p2ptest.Accept(t, l).Greet()
		dialled := n.channel()
		for _, before := range []int{9, 10} {
			var listed []addr.Addr
			for i := range before {
				listed = append(listed, addr.MustParse(fmt.Sprintf("tcp://10.0.0.1:%d", i+1)))
			}
			n.claimant(append(listed, l.Addr())...)
		}
		if got := len(n.Twins(dialled)); got != 1 {
			t.Errorf("%d of the two are twins, want the one that lists ten", got)
		}
	})
}

func TestH8TwoNodesDialEachOtherAtTheSameMoment(t *testing.T) {
	rounds := 1000
	for _, listed := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			lost := 0
			for round := range rounds {
				set := memory()
				at := []addr.Addr{addr.MustParse("tcp://127.0.0.1:1000"), addr.MustParse("tcp://127.0.0.1:2000")}
				var nodes []*node
				for i := range at {
					nodes = append(nodes, newNode(t, set, both(at[1-i]), func(s *p2p.Settings) {
						s.Inbound = at[i : i+1]
						if listed {
							s.ExternalAddrs = s.Inbound
						}
					}))
				}
				var started sync.WaitGroup
				for _, n := range nodes {
					started.Go(func() {
						if err := n.Start(t.Context()); err != nil {
							t.Error(err)
						}
					})
				}
				started.Wait()
				<-time.After(5 * time.Second)
				for i, n := range nodes {
					channels := len(n.Channels())
					if channels == 0 {
						lost++
					}
					want := channels
					if listed {
						want = 1
					}
					if channels > 2 {
						t.Errorf("round %d: node %d has %d channels", round, i, channels)
					}
					n.broadcast("hello", want)
				}
				synctest.Wait()
				for i, n := range nodes {
					if got := n.received(); len(got) == 0 || listed && len(got) != 1 {
						t.Errorf("round %d: node %d received %q", round, i, got)
					}
					n.stop()
				}
			}
			if lost > 0 {
				t.Errorf("%d times in %d rounds a node had no channel after 5 s", lost, rounds)
			}
		})
	}
}
