package p2p_test

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
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

// crowd is a network on which some addresses never answer; it counts how many
// are tried at a time.
type crowd struct {
	transport.Transport
	mu        sync.Mutex
	now, most int
	tried     []addr.Addr
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
		watched := &crowd{Transport: set[addr.TCP]}
		l := listen(t, set)
		go func() { // answers nobody
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				done := watched.dialled(conn.Peer())
				go func() {
					defer done()
					_, _ = io.Copy(io.Discard, conn)
					_ = conn.Close()
				}()
			}
		}()
		friend := listen(t, set)
		serving(t, friend)
		n := startNode(t, set, refining, withPeers(friend.Addr()))
		var dead []addr.Addr
		for i := range 50 {
			dead = append(dead, addr.MustParse(fmt.Sprintf("tcp://127.0.0.1:%d", 100+i)))
		}
		for i := range 20 { // one listener under many names
			n.hears(addr.MustParse(fmt.Sprintf("tcp://127.0.0.%d:%d", 2+i, mustPort(l.Addr()))))
		}
		n.hears(dead...)
		<-time.After(2 * time.Minute)
		if watched.most > 4 {
			t.Errorf("%d addresses were tried at a time, want at most 4", watched.most)
		}
		if left := n.Hosts().Len(hosts.Grey); left > 10 {
			t.Errorf("%d addresses have not been tried in two minutes", left)
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

func TestASuspendedAddressIsFreedWhenTheFaultMayBeOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &dials{Transport: transport.NewMem()}
		set := transport.Set{addr.TCP: network}
		l := listen(t, set)
		n := startNode(t, set, slots(1))
		n.hears(l.Addr())
		p2ptest.Accept(t, l).Greet()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		<-time.After(10 * time.Minute)
		if c := n.colour(l.Addr()); c != "grey" {
			t.Errorf("the only address there was is %s, want it kept", c)
		}
		if got := len(network.pauses()); got < 10 {
			t.Errorf("%d attempts in ten minutes without any connection, want it tried again and again", got)
		}
	})
}
