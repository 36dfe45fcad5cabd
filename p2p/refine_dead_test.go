package p2p_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// ruins is a network in which nobody answers but at the addresses that lead to one node.
type ruins struct {
	transport.Transport
	leads map[addr.Addr]addr.Addr
}

func (r ruins) Dial(ctx context.Context, a addr.Addr) (transport.Conn, error) {
	if to, ok := r.leads[a]; ok {
		return r.Transport.Dial(ctx, to)
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// A13: of 2,000 addresses one in a hundred answers, and a dial to any other takes as long as a
// dial may. The refinery has found the first of the 20 within 10 minutes, and all within 4 hours.
func TestA13TheRefineryFindsTheFewThatLiveAmongTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMem()
		set := transport.Set{addr.TCP: mem}
		live, friend := listen(t, set), listen(t, set)
		serving(t, live)
		serving(t, friend)
		leads := map[addr.Addr]addr.Addr{friend.Addr(): friend.Addr()}
		n := startNode(t, transport.Set{addr.TCP: ruins{mem, leads}}, refining, withPeers(friend.Addr()))
		synctest.Wait()
		for i := range 2000 { // from as many tellers as it takes: one may tell a hundred
			a := addr.MustParse(fmt.Sprintf("tcp://127.%d.%d.1:9", 1+i/250, 1+i%250))
			if i%100 == 50 {
				leads[a] = live.Addr()
			}
			teller := addr.MustParse(fmt.Sprintf("tcp://127.0.0.1:%d", 1+i/90))
			n.Hosts().Heard(teller, []wire.Entry{{Addr: a, LastSeen: uint64(time.Now().Unix())}})
		}
		if got := n.Hosts().Len(hosts.Grey); got != 2000 {
			t.Fatalf("%d addresses are heard of", got)
		}
		began := time.Now()
		for _, c := range []struct {
			found  int
			within time.Duration
		}{{1, 10 * time.Minute}, {20, 4 * time.Hour}} {
			for n.Hosts().Len(hosts.White) < c.found {
				if <-time.After(time.Second); time.Since(began) > c.within {
					t.Fatalf("%d found after %v, want %d", n.Hosts().Len(hosts.White), c.within, c.found)
				}
			}
			t.Logf("%d found after %v", c.found, time.Since(began))
		}
	})
}
