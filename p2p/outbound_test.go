package p2p_test

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/dnet"
	"dchat/p2p/hosts"
	"dchat/p2p/p2ptest"
	"dchat/p2p/session"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// slots makes the node look for so many peers.
func slots(n int) func(*p2p.Settings) {
	return func(s *p2p.Settings) { s.Inbound, s.OutboundConnections = nil, n }
}

// hears makes the node hear of addresses, as if a neighbour had told them.
func (n *node) hears(addrs ...addr.Addr) {
	n.t.Helper()
	var entries []wire.Entry
	for _, a := range addrs {
		entries = append(entries, wire.Entry{Addr: a, LastSeen: uint64(time.Now().Unix())})
	}
	n.Hosts().Heard(addr.MustParse("tcp://127.0.0.1:1"), entries)
}

// colour is the list an address is on, in words.
func (n *node) colour(a addr.Addr) string {
	if c, ok := n.Hosts().ColourOf(a); ok {
		return c.String()
	}
	return "none"
}

// events switches the node's events on; the function it returns has those since
// then, or since the last call.
func (n *node) events(names ...string) func() []dnet.Event {
	n.Events().Switch(true)
	w := n.Events().Watch()
	n.t.Cleanup(w.Close)
	return func() (events []dnet.Event) {
		for {
			select {
			case e := <-w.Events():
				if len(names) == 0 || slices.Contains(names, e.Name) {
					events = append(events, e)
				}
			default:
				return events
			}
		}
	}
}

// describe shortens events to what tests compare.
func describe(events []dnet.Event) (all []string) {
	for _, e := range events {
		switch e.Name {
		case dnet.OutboundDiscovery, dnet.DirectDiscovery:
			all = append(all, fmt.Sprintf("%s %d", e.State, e.Attempt))
		case dnet.SlotSleeping:
			all = append(all, fmt.Sprintf("sleeping %d", e.Slot))
		case dnet.SlotConnecting:
			all = append(all, fmt.Sprintf("connecting %d %s", e.Slot, e.Addr.HostPort()))
		case dnet.SlotConnected:
			all = append(all, fmt.Sprintf("connected %d %s", e.Slot, e.Addr.HostPort()))
		case dnet.SlotDisconnected:
			all = append(all, fmt.Sprintf("disconnected %d", e.Slot))
		default:
			all = append(all, e.Name)
		}
	}
	return all
}

func wantEvents(t *testing.T, got []dnet.Event, want ...string) {
	t.Helper()
	if d := describe(got); !slices.Equal(d, want) {
		t.Errorf("events %q, want %q", d, want)
	}
}

func TestASlotDialsAnAddressAsSoonAsItIsHeardOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l := listen(t, set)
		n := newNode(t, set, slots(1))
		events := n.events(dnet.SlotSleeping, dnet.SlotConnecting, dnet.SlotConnected, dnet.SlotDisconnected)
		n.start()
		synctest.Wait()
		wantEvents(t, events(), "sleeping 0")
		if s := n.Slots()[0]; s.State != session.SlotSleeping || s.Channel != 0 {
			t.Errorf("the slot is %+v, want it asleep", s)
		}
		n.hears(l.Addr())
		peer := p2ptest.Accept(t, l)
		synctest.Wait()
		wantEvents(t, events(), "connecting 0 "+l.Addr().HostPort(), "connected 0 "+l.Addr().HostPort())
		if s := n.Slots()[0]; s.State != session.SlotConnecting || s.Addr != l.Addr() || s.Channel != 0 {
			t.Errorf("the slot is %+v, want it in the handshake", s)
		}
		if c := n.colour(l.Addr()); c != "grey" {
			t.Errorf("before the handshake is done the address is %s, want grey", c)
		}
		peer.Greet()
		synctest.Wait()
		if s := n.Slots()[0]; s.State != session.SlotConnected || s.Channel == 0 || s.Err != nil {
			t.Errorf("the slot is %+v, want it connected, with its channel", s)
		}
		if c := n.colour(l.Addr()); c != "gold" {
			t.Errorf("the address is %s, want gold", c)
		}
	})
}

func TestAFailedDialLeavesTheAddressToTheRefinery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, memory(), slots(2))
		events := n.events(dnet.SlotConnecting, dnet.SlotDisconnected)
		n.start()
		synctest.Wait()
		dead := addr.MustParse("tcp://127.0.0.1:7")
		n.hears(dead)
		synctest.Wait()
		got := events()
		if len(got) != 2 || got[0].Name != dnet.SlotConnecting || got[1].Name != dnet.SlotDisconnected || got[1].Err == "" {
			t.Errorf("events %+v, want one attempt and why it failed", got)
		}
		if c, s := n.colour(dead), n.Hosts().StateOf(dead); c != "grey" || s != hosts.Suspended {
			t.Errorf("the address is %s and %v, want grey and suspended", c, s)
		}
	})
}

func TestTwoSlotsNeverDialOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &dials{Transport: transport.NewMem()}
		set := transport.Set{addr.TCP: network}
		l := listen(t, set)
		n := startNode(t, set, slots(8))
		synctest.Wait()
		n.hears(l.Addr())
		peer := p2ptest.Accept(t, l)
		peer.Greet()
		<-time.After(25 * time.Second)
		if got := len(network.pauses()) + 1; got != 1 {
			t.Errorf("the address was dialled %d times, want once", got)
		}
	})
}

func TestAPeerThatLeavesIsDialledAgainAfterAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l := listen(t, set)
		n := startNode(t, set, slots(1))
		n.hears(l.Addr())
		peer := p2ptest.Accept(t, l)
		peer.Greet()
		peer.AnswerPing()
		<-time.After(20 * time.Second)
		peer.Close(false)
		synctest.Wait()
		if c := n.colour(l.Addr()); c != "grey" {
			t.Errorf("the address is %s, want grey", c)
		}
		if seen := n.Hosts().List(hosts.Grey)[0].LastSeen; seen != uint64(time.Now().Unix()) {
			t.Errorf("it was seen %d, want now", seen)
		}
		if pause, _ := pauseAfter(t, l); pause == 0 || pause > 2*time.Second {
			t.Errorf("the next attempt came after %v, want a short pause", pause)
		}
	})
}

// N3: where every connection is cut a slot dials three times at once, and then once a second,
// however many addresses there are.
func TestN3WhereEveryConnectionIsCutASlotDialsOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &dials{Transport: transport.NewMem()}
		set := transport.Set{addr.TCP: network}
		l := listen(t, set)
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_ = conn.Close()
			}
		}()
		aliases(set, l.Addr())
		n := startNode(t, set, slots(2), func(s *p2p.Settings) { s.RefineryInterval = time.Hour }) // the slots alone
		synctest.Wait()
		for i := range 300 { // of several tellers: one may tell a hundred
			a := addr.MustParse(fmt.Sprintf("tcp://127.0.%d.%d:%d", 1+i/250, 1+i%250, mustPort(l.Addr())))
			teller := addr.MustParse(fmt.Sprintf("tcp://127.0.0.1:%d", 1+i/90))
			n.Hosts().Heard(teller, []wire.Entry{{Addr: a, LastSeen: uint64(time.Now().Unix())}})
		}
		<-time.After(time.Minute - time.Millisecond)
		if got, want := len(network.pauses())+1, 2*(3+59); got != want {
			t.Errorf("%d dials of 2 slots in a minute, want %d", got, want)
		}
		if bans := n.Hosts().Bans(); len(bans) > 0 {
			t.Errorf("banned: %v", bans)
		}
	})
}

// redialled tells whether the node dials again within a time.
func redialled(t *testing.T, l transport.Listener, within time.Duration) bool {
	t.Helper()
	return redialledAfter(t, l, within) < within
}

// redialledAfter returns when the node dials again, within when it does not before.
func redialledAfter(t *testing.T, l transport.Listener, within time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	accepted := make(chan transport.Conn, 1)
	go func() {
		if conn, err := l.Accept(); err == nil {
			accepted <- conn
		}
	}()
	select {
	case conn := <-accepted:
		_ = conn.Close()
		return time.Since(began)
	case <-time.After(within):
		return within
	}
}

// H5, F10: a node of another version or network is left alone for a time, and not
// banned.
func TestANodeThatIsNoneOfOursIsLeftAloneForATime(t *testing.T) {
	for _, c := range []struct {
		name string
		play func(*p2ptest.Peer)
		rest time.Duration
	}{
		{"H5 another name", func(p *p2ptest.Peer) { p.Verack.AppName = "other"; p.Send(&p.Version, &p.Verack) }, time.Hour},
		{"H5 another minor version", func(p *p2ptest.Peer) { p.Verack.AppVersion.Minor++; p.Send(&p.Version, &p.Verack) }, time.Hour},
		{"F10 another network", func(p *p2ptest.Peer) { p.Write([]byte{1, 2, 3, 4}) }, 10 * time.Minute},
		{"F10 another network, later", func(p *p2ptest.Peer) { p.Greet(); p.Write([]byte{1, 2, 3, 4}) }, 10 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				set := memory()
				l := listen(t, set)
				n := startNode(t, set, slots(1))
				n.hears(l.Addr())
				peer := p2ptest.Accept(t, l)
				c.play(peer)
				peer.Closed()
				peer.Close(false)
				synctest.Wait()
				if n.colour(l.Addr()) != "grey" || len(n.Hosts().Bans()) > 0 {
					t.Errorf("the address is %s, bans %v; want it grey and not banned", n.colour(l.Addr()), n.Hosts().Bans())
				}
				if got := redialledAfter(t, l, 2*c.rest); got < c.rest-time.Second || got > c.rest+time.Second {
					t.Errorf("it was dialled again after %v, want %v", got, c.rest)
				}
			})
		})
	}
}

func TestTheNumberOfSlotsCanChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		n := startNode(t, set, slots(3))
		var peers []*p2ptest.Peer
		for range 3 {
			l := listen(t, set)
			n.hears(l.Addr())
			p := p2ptest.Accept(t, l)
			p.Greet()
			peers = append(peers, p)
		}
		synctest.Wait()
		if got := connectedSlots(n); got != 3 {
			t.Fatalf("%d slots are connected, want 3", got)
		}
		s := n.Settings()
		s.OutboundConnections = 1
		if _, err := n.Reload(s); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := len(n.Slots()); got != 1 || len(n.Channels()) != 1 {
			t.Errorf("%d slots and %d peers, want one of each", got, len(n.Channels()))
		}
		s.OutboundConnections = 2
		if _, err := n.Reload(s); err != nil {
			t.Fatal(err)
		}
		for _, p := range peers {
			_ = p.Conn().Close() // those that were left are closed already
		}
		if got := len(n.Slots()); got != 2 {
			t.Errorf("%d slots, want 2", got)
		}
	})
}

// unreachable is a network without a route.
type unreachable struct{ transport.Transport }

func (unreachable) Dial(_ context.Context, a addr.Addr) (transport.Conn, error) {
	return nil, &transport.Error{Op: "dial", Addr: a, Err: syscall.ENETUNREACH}
}

func TestAFaultOfOurOwnNetworkIsNotHeldAgainstAnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, transport.Set{addr.TCP: unreachable{transport.NewMem()}}, slots(1))
		n.hears(addr.MustParse("tcp://127.0.0.1:7"))
		<-time.After(10 * time.Minute)
		if got := n.Hosts().Len(hosts.Grey); got != 1 {
			t.Errorf("%d grey addresses are left, want the one there was", got)
		}
	})
}
