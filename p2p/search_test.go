package p2p_test

import (
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/dnet"
)

// When a network forms others come to be known within seconds, so the first three attempts of a
// search ask the seeds although there is a peer; later ones ask it twice before.
func TestASearchBeginsWithTheSeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		peer := listen(t, set)
		serving(t, peer)
		nobody := addr.MustParse("tcp://127.0.0.1:7")
		n := newNode(t, set, slots(2), func(s *p2p.Settings) { s.Seeds = []addr.Addr{nobody} })
		n.hears(peer.Addr())
		events := n.events(dnet.OutboundDiscovery)
		n.start()
		<-time.After(500 * time.Millisecond)
		if got := len(n.Channels()); got != 1 {
			t.Fatalf("%d peers, want one", got)
		}
		<-time.After(time.Minute)
		wantEvents(t, events(), "wait 0", "seed 1", "wait 1", "seed 2", "wait 2", "seed 3", "wait 3",
			"getaddr 4", "wait 4", "getaddr 5", "wait 5", "seed 6", "wait 6")
	})
}
