package p2p_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/session"
	"dchat/p2p/transport"
)

// seedNode is a node that others ask.
func seedNode(s *p2p.Settings) {
	s.SeedNode, s.BanPolicy, s.InboundConnections = true, p2p.BanRelaxed, 512
	s.Inbound = []addr.Addr{addr.MustParse("tcp://127.0.0.1:7000")}
}

// member is a node that knows only seeds, and tells its own address.
func member(i int, seeds ...addr.Addr) func(*p2p.Settings) {
	return func(s *p2p.Settings) {
		own := addr.MustParse(fmt.Sprintf("tcp://127.0.0.1:%d", 7001+i))
		s.Inbound, s.ExternalAddrs = []addr.Addr{own}, []addr.Addr{own}
		s.InboundConnections = 64
		s.Seeds = seeds
		s.OutboundConnections = 8
	}
}

func connectedSlots(n *node) int {
	count := 0
	for _, s := range n.Slots() {
		if s.State == session.SlotConnected {
			count++
		}
	}
	return count
}

func TestStrangersThatKnowOneSeedFindEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := transport.Set{addr.TCP: transport.NewMem()}
		seed := startNode(t, set, seedNode)
		began := time.Now()
		var nodes []*node
		for i := range 4 {
			nodes = append(nodes, startNode(t, set, member(i, seed.Addrs()[0])))
		}
		for _, n := range nodes {
			for connectedSlots(n) < 3 {
				<-time.After(10 * time.Millisecond)
				if time.Since(began) > time.Minute {
					for _, n := range append(nodes, seed) {
						t.Log(n.Slots(), len(nodes))
						for _, e := range n.logs.All() {
							t.Log(e.Time.Sub(began), e.Message, e.ContextMap())
						}
					}
					t.Fatal("not connected after a minute")
				}
			}
		}
		t.Logf("everybody connected to everybody after %v", time.Since(began))
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("took %v, want at most 3s", took)
		}
	})
}
