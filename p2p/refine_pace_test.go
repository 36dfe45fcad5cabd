package p2p_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
	"dchat/p2p/transport"
)

// The refinery begins 15 s after the start. A node that knows few addresses that answer then tries
// one a second; one that knows enough tries four in each 15 s, and so costs others little.
func TestTheRefineryIsCalmWhenEnoughIsKnown(t *testing.T) {
	seconds := func(all ...int) (at []time.Duration) {
		for _, s := range all {
			at = append(at, time.Duration(s)*time.Second)
		}
		return at
	}
	for _, c := range []struct {
		known int
		want  []time.Duration // the first tries
	}{
		{31, seconds(15, 16, 17, 18, 19, 20, 21, 22, 23)},
		{32, seconds(15, 15, 15, 15, 30, 30, 30, 30, 45)},
	} {
		t.Run(fmt.Sprint(c.known, " are known"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := &dials{Transport: transport.NewMem()}
				set := transport.Set{addr.TCP: network}
				friend := listen(t, set)
				serving(t, friend)
				n := startNode(t, set, refining, withPeers(friend.Addr()))
				began := time.Now()
				for i := range c.known {
					n.Hosts().Answered(addr.MustParse(fmt.Sprintf("tcp://127.0.1.%d:1", 1+i)))
				}
				for i := range 30 {
					n.hears(addr.MustParse(fmt.Sprintf("tcp://127.0.0.1:%d", 100+i))) // where nobody is
				}
				<-time.After(time.Minute)
				var at []time.Duration
				network.mu.Lock()
				defer network.mu.Unlock()
				for _, when := range network.at[1:] { // the first is that of the friend
					at = append(at, when.Sub(began))
				}
				if len(at) < len(c.want) || !slices.Equal(at[:len(c.want)], c.want) {
					t.Errorf("tries after %v, want %v to begin with", at, c.want)
				}
			})
		})
	}
}

// A connection of the refinery shows that our own network works, so what does not answer then
// is not kept for the fault that may be ours.
func TestAConnectionOfTheRefineryIsOneToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		live := listen(t, set)
		serving(t, live)
		aliases(set, live.Addr())
		n := startNode(t, set, refining)
		for i := range 20 { // where nobody is; the newest are tried first
			n.hears(addr.MustParse(fmt.Sprintf("tcp://127.0.0.1:%d", 100+i)))
		}
		for i := range 30 {
			n.hears(addr.MustParse(fmt.Sprintf("tcp://127.0.1.%d:%d", 1+i, mustPort(live.Addr()))))
		}
		<-time.After(70 * time.Second) // from 15 s on one a second
		if white, grey := n.Hosts().Len(hosts.White), n.Hosts().Len(hosts.Grey); white != 30 || grey != 0 {
			t.Errorf("%d addresses are white and %d grey, want 30 that answer and no other", white, grey)
		}
	})
}
