package p2p_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/p2ptest"
	"dchat/p2p/transport"
)

// The node's own addresses: that of its end of every connection, unless addresses
// are translated on the way, then others see the second one.
const (
	ownIP    = "2a00:1:2:3::5"
	seenIP   = "2a01:1:2:3::5"
	otherIP  = "2a01:1:2:3::6"
	forgedIP = "2a02:bad::1"
)

// tell makes peers of as many networks, one after the other: so many say that they
// see us at one address, so many at the next; where that is empty each says another.
func tell(what ...any) (peers [][2]string) {
	for i := 0; i < len(what); i += 2 {
		for range what[i+1].(int) {
			n := len(peers)
			ip := what[i].(string)
			if ip == "" {
				ip = fmt.Sprintf("2a03::%d", n)
			}
			peers = append(peers, [2]string{fmt.Sprintf("2d%02d::1", n), ip})
		}
	}
	return peers
}

// world is a network of hosts with IPv6 addresses, and the node on one of them.
type world struct {
	t    *testing.T
	mem  *transport.Mem
	node *node
}

// newWorld starts a node that listens at its own address, knows its external one as
// [::], and connects to peers at these hosts, each of which says that it sees the
// node at an address: "host address".
func newWorld(t *testing.T, localnet bool, peers ...[2]string) *world {
	t.Helper()
	w := &world{t: t, mem: transport.NewMem()}
	var addrs []addr.Addr
	var listeners []transport.Listener
	for _, p := range peers {
		a := addr.FromIP(addr.TCP, netip.AddrPortFrom(netip.MustParseAddr(p[0]), 7000))
		l, err := w.mem.Listen(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		addrs, listeners = append(addrs, a), append(listeners, l)
	}
	w.node = startNode(t, transport.Set{addr.TCP: w.mem.From(netip.MustParseAddr(ownIP))}, both(addrs...), func(s *p2p.Settings) {
		s.Localnet = localnet
		s.Inbound = []addr.Addr{addr.MustParse("tcp://[::]:9000")}
		s.ExternalAddrs = []addr.Addr{addr.MustParse("tcp://[::]:9000"), addr.MustParse("tcp://example.org:9000")}
		s.InboundConnections = 100
	})
	for i, l := range listeners {
		w.say(p2ptest.Accept(t, l), peers[i][1])
	}
	return w
}

// say makes a peer tell the node where it sees it, and returns what the node says
// its addresses are.
func (w *world) say(p *p2ptest.Peer, ip string) []string {
	w.t.Helper()
	p.Version.ConnectRecvAddr = addr.FromIP(addr.TCP, netip.AddrPortFrom(netip.MustParseAddr(ip), 40000))
	var told []string
	for _, a := range p.Greet().ExtSendAddr {
		told = append(told, a.String())
	}
	synctest.Wait()
	return told
}

// visit connects to the node from a host, tells it where it is, and returns what it
// says.
func (w *world) visit(from, ip string) []string {
	w.t.Helper()
	set := transport.Set{addr.TCP: w.mem.From(netip.MustParseAddr(from))}
	return w.say(p2ptest.Dial(w.t, set, addr.FromIP(addr.TCP, netip.AddrPortFrom(netip.MustParseAddr(ownIP), 9000))), ip)
}

// wantKnown checks which IPv6 address the node gives as its own.
func (w *world) wantKnown(ip string) {
	w.t.Helper()
	got := w.visit("2a0f::99", forgedIP)
	if want := []string{"tcp://[" + ip + "]:9000/", "tcp://example.org:9000/"}; !slices.Equal(got, want) {
		w.t.Errorf("the node says that it is %q, want %q", got, want)
	}
}

func TestOurOwnIPv6AddressIsWhatSeveralPeersThatWeChoseSay(t *testing.T) {
	for _, c := range []struct {
		name     string
		peers    [][2]string // host, and where it says it sees us
		localnet bool
		want     string
	}{
		{"nobody", nil, false, "::"},
		{"three of three networks", [][2]string{{"2b01:1::1", seenIP}, {"2b02:1::1", seenIP}, {"2b03:1::1", seenIP}}, false, seenIP},
		{"two of two networks", [][2]string{{"2b01:1::1", seenIP}, {"2b02:1::1", seenIP}}, false, "::"},
		{"four of two networks", [][2]string{{"2b01:1:1::1", seenIP}, {"2b01:1:2::1", seenIP}, {"2b02:1::1", seenIP}, {"2b02:1::2", seenIP}}, false, "::"},
		{"one, but it is what our end is called", [][2]string{{"2b01:1::1", ownIP}}, false, ownIP},
		{"three against one, but ours is certain", [][2]string{{"2b01:1::1", seenIP}, {"2b02:1::1", seenIP}, {"2b03:1::1", seenIP}, {"2b04:1::1", ownIP}}, false, ownIP},
		{"three lie and four do not", [][2]string{{"2b01:1::1", forgedIP}, {"2b02:1::1", seenIP}, {"2b03:1::1", forgedIP}, {"2b04:1::1", seenIP},
			{"2b05:1::1", seenIP}, {"2b06:1::1", forgedIP}, {"2b07:1::1", seenIP}}, false, seenIP},
		{"not to be reached from outside", [][2]string{{"2b01:1::1", "fd00::1"}, {"2b02:1::1", "fd00::1"}, {"2b03:1::1", "fd00::1"}}, false, "::"},
		{"no IPv6 address", [][2]string{{"2b01:1::1", "192.0.2.1"}, {"2b02:1::1", "192.0.2.1"}, {"2b03:1::1", "::ffff:192.0.2.1"}}, true, "::"},
		{"from peers that see us by IPv4", [][2]string{{"11.1.1.1", seenIP}, {"12.1.1.1", seenIP}, {"13.1.1.1", seenIP}}, true, "::"},
		{"four, too long ago", tell(seenIP, 4, otherIP, 3, "", 17), false, otherIP},
		{"four, not too long ago", tell(seenIP, 4, otherIP, 3, "", 13), false, seenIP},
		{"three, too long ago, but nobody knows better", tell(seenIP, 3, "", 20), false, seenIP},
		{"one, on a localnet", [][2]string{{"fd00::1", "fd00::5"}}, true, "fd00::5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				newWorld(t, c.localnet, c.peers...).wantKnown(c.want)
			})
		})
	}
}

func TestA11InboundPeersDoNotDecideWhatOurAddressIs(t *testing.T) {
	for _, c := range []struct {
		name     string
		localnet bool
		known    [][2]string
		want     string
	}{
		{"not known", false, nil, "::"},
		{"known", false, [][2]string{{"2b01:1::1", seenIP}, {"2b02:1::1", seenIP}, {"2b03:1::1", seenIP}}, seenIP},
		{"on a localnet", true, nil, "::"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, c.localnet, c.known...)
				for i := range 50 {
					w.visit(fmt.Sprintf("2c%02d:1::1", i), forgedIP)
				}
				w.wantKnown(c.want)
			})
		})
	}
}

// TestA11TwoPeersOfOneNetworkDoNotDecideWhatOurAddressIs: whoever has one /32 has all of
// it, and 50 liars that come in are no help.
func TestA11TwoPeersOfOneNetworkDoNotDecideWhatOurAddressIs(t *testing.T) {
	liars := [][2]string{{"2b09:1:1::1", forgedIP}, {"2b09:1:ffff::1", forgedIP}}
	honest := [][2]string{{"2b01:1::1", seenIP}, {"2b02:1::1", seenIP}, {"2b03:1::1", seenIP}}
	for _, c := range []struct {
		name  string
		peers [][2]string
		want  string
	}{
		{"not known", liars, "::"},
		{"known before", slices.Concat(honest, liars), seenIP},
		{"known after", slices.Concat(liars, honest), seenIP},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, false, c.peers...)
				for i := range 50 {
					w.visit(fmt.Sprintf("2c%02d:1::1", i), forgedIP)
				}
				w.wantKnown(c.want)
			})
		})
	}
}

// TestAPeerThatReachedUsByOurOwnAddressIsBelieved, since the system says the same.
func TestAPeerThatReachedUsByOurOwnAddressIsBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		first := w.visit("2c01::1", ownIP)
		if first[0] != "tcp://[::]:9000/" {
			t.Errorf("the first version says %q, want what is configured", first)
		}
		w.wantKnown(ownIP)
	})
}

// TestOurIPv6AddressOnLoopback is what stock nodes were recorded to do with
// external_addrs = ["tcp://[::]:64059"] on a localnet.
func TestOurIPv6AddressOnLoopback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory(), func(s *p2p.Settings) {
			s.Inbound = []addr.Addr{addr.MustParse("tcp://[::1]:64059")}
			s.ExternalAddrs = []addr.Addr{addr.MustParse("tcp://[::]:64059")}
		})
		for _, want := range []string{"tcp://[::]:64059/", "tcp://[::1]:64059/"} {
			if got := n.dial().Greet().ExtSendAddr[0].String(); got != want {
				t.Errorf("the version says %q, want %q", got, want)
			}
		}
	})
}

func TestAnExternalAddressWithPort0HasThePortThatIsListenedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory(), func(s *p2p.Settings) { s.ExternalAddrs = []addr.Addr{addr.MustParse("tcp://example.org:0")} })
		want, _ := addr.MustParse("tcp://example.org").WithPort(port(t, n.Addrs()[0]))
		if got := n.dial().Handshake().ExtSendAddr; len(got) != 1 || got[0] != want {
			t.Errorf("the version says %v, want %v", got, want)
		}
	})
}

func port(t *testing.T, a addr.Addr) uint16 {
	t.Helper()
	p, ok := a.Port()
	if !ok || p == 0 {
		t.Fatalf("%v has no port", a)
	}
	return p
}
