package p2p_test

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/p2ptest"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// internet is a network in which everybody has an IP of their own.
type internet struct{ mem *transport.Mem }

func (i internet) from(ip string) transport.Set {
	tcp := i.mem.From(netip.MustParseAddr(ip))
	return transport.Set{addr.TCP: tcp, addr.TCPTLS: &transport.TLS{Over: tcp}}
}

// publicNode is a node of the settings at 1.0.0.1, with no regard for local
// networks.
func (i internet) publicNode(t *testing.T, changes ...func(*p2p.Settings)) *node {
	t.Helper()
	public := func(s *p2p.Settings) {
		s.Inbound = []addr.Addr{addr.MustParse("tcp://1.0.0.1:7000")}
		s.Localnet = false
	}
	return startNode(t, i.from("1.0.0.1"), append([]func(*p2p.Settings){public}, changes...)...)
}

// silence connects from an IP and says nothing.
func (i internet) silence(t *testing.T, ip string, to addr.Addr) {
	t.Helper()
	if below, ok := to.WithScheme(addr.TCP); ok {
		p2ptest.Dial(t, i.from(ip), below)
	}
}

// visit connects from an IP, as a peer that is turned away tries again, and returns
// how long it took to be greeted.
func (i internet) visit(t *testing.T, ip string, to addr.Addr) time.Duration {
	t.Helper()
	start := time.Now()
	for time.Since(start) < time.Minute {
		if conn, err := i.from(ip).Dial(t.Context(), to); err == nil {
			p := p2ptest.NewPeer(t, conn)
			p.Version.ConnectRecvAddr = to
			if p.TryWrite(append(p.Frame(&p.Version), p.Frame(&p.Verack)...)) == nil {
				if _, err := p.TryRead(); err == nil {
					p.AnswerPing()
					return time.Since(start)
				}
			}
		}
		<-time.After(500 * time.Millisecond)
	}
	t.Fatalf("%s was never greeted", ip)
	return 0
}

func TestH1FiveHundredSilentConnectionsKeepNobodyOut(t *testing.T) {
	hosts := map[string]func(i int) string{
		"of one host":             func(int) string { return "6.6.6.6" },
		"of one IPv6 /64":         func(i int) string { return fmt.Sprintf("2600:6:6:6::%x", i+1) },
		"of five hundred hosts":   func(i int) string { return fmt.Sprintf("6.6.%d.%d", i>>8, i&255) },
		"of five hundred of IPv6": func(i int) string { return fmt.Sprintf("2600:6:6:%x::1", i) },
	}
	for name, host := range hosts {
		for _, scheme := range []string{addr.TCP, addr.TCPTLS} {
			for _, slots := range []int{8, 256} {
				t.Run(fmt.Sprintf("%s over %s with %d slots", name, scheme, slots), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						net := internet{transport.NewMem()}
						n := net.publicNode(t, func(s *p2p.Settings) {
							s.InboundConnections = slots
							s.Inbound[0], _ = s.Inbound[0].WithScheme(scheme)
						})
						to := n.Addrs()[0]
						for i := range 500 {
							net.silence(t, host(i), to)
						}
						if took := net.visit(t, "9.9.9.9", to); took > time.Second {
							t.Errorf("the first honest peer was greeted after %v", took)
						}
						// Others go on, and so do they.
						for i := range 100 {
							net.silence(t, host(i), to)
						}
						<-time.After(time.Second)
						if took := net.visit(t, "9.9.9.8", to); took > time.Second {
							t.Errorf("the second honest peer was greeted after %v", took)
						}
						if got := len(n.Channels()); got != 2 {
							t.Errorf("%d peers, want the two honest ones", got)
						}
					})
				})
			}
		}
	}
}

func TestR1OneHostDoesNotTakeAllSlots(t *testing.T) {
	for _, sockets := range []int{8, 200} {
		t.Run(fmt.Sprint(sockets, " sockets"), func(t *testing.T) {
			for range 100 {
				synctest.Test(t, func(t *testing.T) {
					net := internet{transport.NewMem()}
					n := net.publicNode(t, func(s *p2p.Settings) { s.InboundConnections = 8 })
					var attacks []*p2ptest.Recording
					for range sockets {
						p := p2ptest.Dial(t, net.from("6.6.6.6"), n.Addrs()[0])
						_ = p.TryWrite(append(p.Frame(&p.Version), p.Frame(&p.Verack)...)) // it may be closed
						attacks = append(attacks, p.Record())
					}
					synctest.Wait()
					if took := net.visit(t, "9.9.9.9", n.Addrs()[0]); took > time.Second {
						t.Errorf("another host was greeted after %v", took)
					}
					open := 0
					for _, r := range attacks {
						if _, _, ended := r.Ended(); !ended {
							open++
						}
					}
					if open != 2 || len(n.Channels()) != 3 {
						t.Errorf("%d connections of the one host are open, %d peers in all; want 2 and 3", open, len(n.Channels()))
					}
				})
			}
		})
	}
}

func TestOnThisMachineAHostMayHaveAllSlots(t *testing.T) {
	for name, change := range map[string]func(*p2p.Settings){
		"on a local network":           func(s *p2p.Settings) { s.Inbound = []addr.Addr{addr.MustParse("tcp://0.0.0.0:7000")} },
		"when nobody else can connect": func(s *p2p.Settings) { s.Localnet = false },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := startNode(t, memory(), change, func(s *p2p.Settings) { s.InboundConnections = 8 })
				for range 8 {
					n.greeted()
				}
				n.dial().Closed()
			})
		})
	}
}

func TestB6ABannedPeerIsClosedBeforeTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := internet{transport.NewMem()}
		n := net.publicNode(t, func(s *p2p.Settings) {
			s.Inbound = []addr.Addr{addr.MustParse("tcp+tls://1.0.0.1:7000")}
			s.ActiveProfiles = []string{addr.TCPTLS}
			s.Blacklist = []p2p.BlacklistEntry{{Host: "6.6.6.6"}}
		})
		to := n.Addrs()[0]
		below, _ := to.WithScheme(addr.TCP)
		for range 1000 {
			conn, err := net.from("6.6.6.6").Dial(t.Context(), below)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(conn); len(got) > 0 {
				t.Fatalf("it was sent %q (%v), want nothing", got, err)
			}
			_ = conn.Close() // nothing was sent
		}
		if _, err := net.from("6.6.6.6").Dial(t.Context(), to); err == nil {
			t.Error("a banned peer completed a TLS handshake")
		}
		if took := net.visit(t, "9.9.9.9", to); took > time.Second {
			t.Errorf("an honest peer was greeted after %v", took)
		}
		if got := n.logs.FilterMessage("Connection refused: the peer is on the blacklist").Len(); got != 1001 {
			t.Errorf("%d connections were refused, want 1001", got)
		}
	})
}

func TestH9TwoThousandVersionsTakeNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory(), func(s *p2p.Settings) { s.BanPolicy = p2p.BanRelaxed })
		before := heap()
		var version []byte
		for i := range 2000 {
			p := n.dial()
			if version == nil {
				p.Version.NodeID = strings.Repeat("n", 2030)
				for j := range 11 {
					p.Version.ExtSendAddr = append(p.Version.ExtSendAddr, addr.MustParse(fmt.Sprintf("tcp://1.2.3.4:%d", j+1)))
				}
				version = p.RawFrame("version", p.Version.AppendPayload(nil))
			}
			p.Write(version)
			if got := p.Closed(); len(got) > 1 {
				t.Fatalf("connection %d was sent %v, want our version at most", i, got)
			}
			p.Close(false)
			wantOffence(t, n.channel(), wire.BadPayload)
		}
		if after := heap(); after > before+8<<20 {
			t.Errorf("the heap grew by %d KiB", (after-before)>>10)
		}
	})
}
