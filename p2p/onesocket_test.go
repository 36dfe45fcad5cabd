package p2p_test

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/transport"
)

// oneSocket is a network in memory on which nodes dial from the port that they listen on,
// which is the same for all of them, as they do over QUIC.
type oneSocket struct{ transport.Transport }

const onePort = 1000

func (n oneSocket) Listen(ctx context.Context, a addr.Addr) (transport.Listener, error) {
	l, err := n.Transport.Listen(ctx, a)
	return oneSocketListener{l}, err
}

type oneSocketListener struct{ transport.Listener }

func (l oneSocketListener) Accept() (transport.Conn, error) {
	conn, err := l.Listener.Accept()
	return oneSocketConn{conn}, err
}

type oneSocketConn struct{ transport.Conn }

func (c oneSocketConn) Peer() addr.Addr {
	ip, _ := c.Conn.Peer().IP()
	return quicAt(ip.String())
}

func quicAt(ip string) addr.Addr {
	return addr.FromIP(addr.QUIC, netip.AddrPortFrom(netip.MustParseAddr(ip), onePort))
}

// quicNode is a node at an IP address that has peers at others.
func quicNode(t *testing.T, mem *transport.Mem, ip string, peers ...string) *node {
	return newNode(t, transport.Set{addr.QUIC: oneSocket{mem.From(netip.MustParseAddr(ip))}}, func(s *p2p.Settings) {
		s.ActiveProfiles = []string{addr.QUIC}
		s.Inbound = []addr.Addr{quicAt(ip)}
		s.Peers = nil
		for _, peer := range peers {
			s.Peers = append(s.Peers, quicAt(peer))
		}
	})
}

func TestAPeerThatDialledFromWhereItListensIsNotDialledAsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMem()
		alice, bob := quicNode(t, mem, "10.0.0.1", "10.0.0.2"), quicNode(t, mem, "10.0.0.2", "10.0.0.1")
		alice.start()
		<-time.After(10 * time.Second)
		bob.start()
		<-time.After(10 * time.Minute)
		for name, n := range map[string]*node{"alice": alice, "bob": bob} {
			if got := len(n.Channels()); got != 1 {
				t.Errorf("%s has %d channels, want the one that bob made", name, got)
			}
		}
		if kind := alice.Channels()[0].Kind(); kind != channel.Inbound {
			t.Errorf("alice has a channel of kind %v, want the one that bob made", kind)
		}
		ch, release, err := alice.Channel(t.Context(), quicAt("10.0.0.2"))
		if err != nil || ch != alice.Channels()[0] {
			t.Errorf("a direct channel is another one than there is: %v", err)
		} else {
			release()
		}
		bob.stop()
		<-time.After(time.Minute)
		bob.start()
		<-time.After(time.Minute)
		if got := len(alice.Channels()); got != 1 {
			t.Errorf("after a restart of bob alice has %d channels, want 1", got)
		}
	})
}

func TestTwoThatDialEachOtherFromWhereTheyListenHearEachTextOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMem()
		alice, bob := quicNode(t, mem, "10.0.0.1", "10.0.0.2"), quicNode(t, mem, "10.0.0.2", "10.0.0.1")
		alice.start()
		bob.start() // so that both dial before they know of each other
		<-time.After(time.Minute)
		alice.broadcast("from alice", 1)
		bob.broadcast("from bob", 1)
		<-time.After(time.Minute)
		if got := bob.received(); len(got) != 1 || got[0] != "from alice" {
			t.Errorf("bob received %q", got)
		}
		if got := alice.received(); len(got) != 1 || got[0] != "from bob" {
			t.Errorf("alice received %q", got)
		}
	})
}
