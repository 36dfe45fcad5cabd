package p2p_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/dnet"
	"dchat/p2p/hosts"
	"dchat/p2p/p2ptest"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// refining is a node that only tries addresses.
func refining(s *p2p.Settings) { s.Inbound = nil }

func TestAnAddressThatAnswersBecomesWhite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l := listen(t, set)
		n := startNode(t, set, refining)
		began := time.Now()
		n.hears(l.Addr())
		peer := p2ptest.Accept(t, l)
		if took := time.Since(began); took != 15*time.Second {
			t.Errorf("tried after %v, want 15s after the start", took)
		}
		if v := peer.Handshake(); len(v.Features) != 0 {
			t.Errorf("features %v are advertised, want none", v.Features)
		}
		if left := peer.Closed(); len(left) != 0 {
			t.Errorf("sent %v after the handshake, want nothing", left)
		}
		peer.Close(false)
		synctest.Wait()
		if c := n.colour(l.Addr()); c != "white" {
			t.Errorf("the address is %s, want white", c)
		}
		if took := time.Since(began); took != 15*time.Second {
			t.Errorf("left after %v, want at once", took-15*time.Second)
		}
		if seen := n.Hosts().List(hosts.White)[0].LastSeen; seen != uint64(time.Now().Unix()) {
			t.Errorf("it was seen %d, want now", seen)
		}
	})
}

func TestAnAddressThatNeverAnsweredIsForgotten(t *testing.T) {
	for _, c := range []struct {
		name string
		play func(*p2ptest.Peer)
		took time.Duration
	}{
		{"closes at once", func(*p2ptest.Peer) {}, 0},
		{"H11 silent", func(p *p2ptest.Peer) { p.Closed() }, 5 * time.Second},
		{"another name", func(p *p2ptest.Peer) { p.Verack.AppName = "other"; p.Send(&p.Version, &p.Verack); p.Closed() }, 0},
		{"another network", func(p *p2ptest.Peer) { p.Write([]byte{1, 2, 3, 4}); p.Closed() }, 0},
		{"an unknown command before the handshake ends", func(p *p2ptest.Peer) {
			p.Write(p.RawFrame("nonsense", nil))
			p.Closed()
		}, 0},
		{"a ping over the limit", func(p *p2ptest.Peer) { p.Write(p.RawFrame("ping", []byte{1, 2, 3})); p.Closed() }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				set := memory()
				l := listen(t, set)
				n := startNode(t, set, refining)
				n.hears(l.Addr())
				peer := p2ptest.Accept(t, l)
				began := time.Now()
				c.play(peer)
				peer.Close(false)
				synctest.Wait()
				if got := n.colour(l.Addr()); got != "none" {
					t.Errorf("the address is %s, want it forgotten", got)
				}
				if took := time.Since(began); took != c.took {
					t.Errorf("it took %v, want %v", took, c.took)
				}
				if bans := n.Hosts().Bans(); len(bans) > 0 {
					t.Errorf("banned: %v", bans)
				}
			})
		})
	}
}

// crowd is a network in which nobody answers but a friend; it counts how many are
// dialled at a time.
type crowd struct {
	transport.Transport
	friend    addr.Addr
	mu        sync.Mutex
	now, most int
	tried     []addr.Addr // in turn
}

func (c *crowd) Dial(ctx context.Context, a addr.Addr) (transport.Conn, error) {
	if a == c.friend {
		return c.Transport.Dial(ctx, a)
	}
	defer c.dialled(a)()
	<-ctx.Done()
	return nil, ctx.Err()
}

func (c *crowd) dialled(a addr.Addr) (done func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now++
	c.most = max(c.most, c.now)
	c.tried = append(c.tried, a)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.now--
	}
}

func TestFourAddressesAreTriedAtATimeTheFreshOnesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		friend := listen(t, set)
		serving(t, friend)
		network := &crowd{Transport: set[addr.TCP], friend: friend.Addr()}
		n := startNode(t, transport.Set{addr.TCP: network}, refining, withPeers(friend.Addr()))
		var dead []addr.Addr
		for i := range 50 {
			dead = append(dead, addr.MustParse(fmt.Sprintf("tcp://127.0.0.1:%d", 100+i)))
			n.hears(dead[i])
		}
		<-time.After(2 * time.Minute)
		network.mu.Lock()
		defer network.mu.Unlock()
		if network.most != 4 {
			t.Errorf("%d addresses were tried at a time, want 4", network.most)
		}
		// Each of the four takes 15 s, and the first begins after as much.
		if got := len(network.tried); got < 20 || got > 4*8 {
			t.Errorf("%d addresses were tried in two minutes, want 20 to 32", got)
		}
		slices.Reverse(dead)
		if got := network.tried[:3]; !slices.Equal(got, dead[:3]) { // every fourth is any of them
			t.Errorf("the first were %v, want those heard of last: %v", got, dead[:3])
		}
	})
}

func mustPort(a addr.Addr) uint16 {
	p, _ := a.Port()
	return p
}

func TestASeedNodeTriesWhatItHearsAtOnceAndAgainLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l := listen(t, set)
		seed := startNode(t, set, seedNode)
		synctest.Wait()
		began := time.Now()
		newcomer := seed.greeted()
		newcomer.Send(&wire.Addrs{Entries: []wire.Entry{{Addr: l.Addr(), LastSeen: uint64(time.Now().Unix())}}})
		tried := p2ptest.Accept(t, l)
		tried.Handshake()
		tried.Closed()
		tried.Close(false)
		synctest.Wait()
		if took := time.Since(began); took > 100*time.Millisecond || seed.colour(l.Addr()) != "white" {
			t.Errorf("after %v it is %s, want it white at once", took, seed.colour(l.Addr()))
		}
		newcomer.Close(false)
		<-time.After(2*time.Minute - time.Since(began))
		again := p2ptest.Accept(t, l)
		if took := time.Since(began); took > 2*time.Minute+time.Second {
			t.Errorf("tried again after %v, want two minutes", took)
		}
		again.Close(false)
		synctest.Wait()
		if c := seed.colour(l.Addr()); c != "grey" {
			t.Errorf("now that it is gone it is %s, want grey", c)
		}
	})
}

func TestTheRefineryPausesWhileThereIsNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		n := startNode(t, set, refining)
		var dead []addr.Addr
		for i := range 100 {
			dead = append(dead, addr.MustParse(fmt.Sprintf("tcp://127.0.0.1:%d", 100+i)))
		}
		<-time.After(31 * time.Second)
		n.hears(dead...)
		<-time.After(time.Hour)
		if got := n.Hosts().Len(hosts.Grey); got != 100 {
			t.Errorf("%d addresses are left, want all 100: the fault may be ours", got)
		}
	})
}

func TestSuspendedAddressesAreFreedWhenTheFaultMayBeOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, memory(), slots(1))
		events := n.events(dnet.SlotConnecting)
		n.start()
		dead := []addr.Addr{addr.MustParse("tcp://127.0.0.1:7"), addr.MustParse("tcp://127.0.0.1:8"), addr.MustParse("tcp://127.0.0.1:9")}
		for _, a := range dead {
			n.Hosts().Answered(a) // once
		}
		<-time.After(10 * time.Minute)
		for _, a := range dead {
			if c := n.colour(a); c != "grey" {
				t.Errorf("%v is %s, want it kept", a, c)
			}
		}
		// While they are suspended only the refinery tries them. Every 30 s they are freed,
		// and the slot tries at least those two that the refinery does not try just then.
		if got := len(events()); got < 2*18 {
			t.Errorf("the slot has tried one %d times in ten minutes without any connection, want at least %d", got, 2*18)
		}
	})
}
