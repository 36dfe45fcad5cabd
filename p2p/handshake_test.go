package p2p_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/p2ptest"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

func TestVersionOfAnInboundChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory(), func(s *p2p.Settings) {
			s.NodeID, s.AppName = "me", "app"
			s.AppVersion = wire.Semver{Major: 1, Minor: 2, Patch: 3, Pre: "rc.1", Build: "x"}
			s.ExternalAddrs = []addr.Addr{addr.MustParse("tcp://user:secret@example.org:7000/?q#f")}
		})
		p := n.dial()
		p.Verack = wire.Verack{AppName: "app", AppVersion: wire.Semver{Major: 1, Minor: 2}}
		got := p.Handshake()
		self := addr.MustParse("tcp://" + p.Conn().LocalAddr().String())
		switch {
		case got.NodeID != "me" || got.AppName != "app" || got.AppVersion != n.Settings().AppVersion:
			t.Errorf("identity is %q %q %v", got.NodeID, got.AppName, got.AppVersion)
		case got.Timestamp != uint64(time.Now().Unix()):
			t.Errorf("timestamp is %d, want now, %d", got.Timestamp, time.Now().Unix())
		case got.ConnectRecvAddr != self:
			t.Errorf("connect_recv_addr is %v, want where the node sees us, %v", got.ConnectRecvAddr, self)
		case !got.ResolveRecvAddr.IsZero():
			t.Errorf("resolve_recv_addr is %v, want none", got.ResolveRecvAddr)
		case len(got.ExtSendAddr) != 1 || got.ExtSendAddr[0].String() != "tcp://example.org:7000/":
			t.Errorf("ext_send_addr is %v, want the address without its secrets", got.ExtSendAddr)
		case len(got.Features) != 1 || !strings.HasPrefix(got.Features[0].Name, "conn:"):
			t.Errorf("features are %v, want the mark of the connection", got.Features)
		}
	})
}

func TestVersionOfAManualChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l, err := set.Listen(t.Context(), addr.MustParse("tcp://example.org:7000"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		startNode(t, set, withPeers(addr.MustParse("tcp://user:secret@example.org:7000/?q#f")))
		p := p2ptest.Accept(t, l)
		got := p.Handshake()
		want := "tcp://example.org:7000/"
		if got.ConnectRecvAddr.String() != want || got.ResolveRecvAddr.String() != want {
			t.Errorf("addresses are %v and %v, want both as configured, by name and without secrets", got.ConnectRecvAddr, got.ResolveRecvAddr)
		}
	})
}

func TestOnlyTheVerackDecidesWhoMayTalk(t *testing.T) {
	stock := wire.Semver{Minor: 4, Patch: 1}
	for _, c := range []struct {
		name   string
		change func(*p2ptest.Peer)
		opens  bool
	}{
		{"same", func(*p2ptest.Peer) {}, true},
		{"other application", func(p *p2ptest.Peer) { p.Verack.AppName = "other" }, false},
		{"application in other case", func(p *p2ptest.Peer) { p.Verack.AppName = "Dchatd" }, false},
		{"other major", func(p *p2ptest.Peer) { p.Verack.AppVersion = wire.Semver{Major: 1, Minor: 4, Patch: 1} }, false},
		{"other minor", func(p *p2ptest.Peer) { p.Verack.AppVersion.Minor = 5 }, false},
		{"other patch", func(p *p2ptest.Peer) { p.Verack.AppVersion.Patch = 99 }, true},
		{"pre-release and build", func(p *p2ptest.Peer) { p.Verack.AppVersion.Pre, p.Verack.AppVersion.Build = "rc.1", "x" }, true},
		{"features", func(p *p2ptest.Peer) { p.Version.Features = []wire.Feature{{Name: "rooms", Version: 7}} }, true},
		{"other application and version in version", func(p *p2ptest.Peer) {
			p.Version.AppName, p.Version.AppVersion = "other", wire.Semver{Major: 9}
		}, true},
		{"any timestamp", func(p *p2ptest.Peer) { p.Version.Timestamp = 1<<64 - 1 }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				set := memory()
				l := listen(t, set)
				n := startNode(t, set, func(s *p2p.Settings) { s.Peers = []addr.Addr{l.Addr()} })
				inbound, manual := n.dial(), p2ptest.Accept(t, l)
				for _, p := range []*p2ptest.Peer{inbound, manual} {
					p.Version.AppVersion, p.Verack.AppVersion = stock, stock
					c.change(p)
					p.Send(&p.Version, &p.Verack)
				}
				synctest.Wait()
				for range 2 {
					ch := n.channel()
					if opens := ch.Err() == nil; opens != c.opens {
						t.Errorf("%v: open %v, %v; want %v", ch.Kind(), opens, ch.Err(), c.opens)
					} else if !opens {
						wantOffence(t, ch, wire.Mismatch)
					}
				}
				if got := len(n.Channels()); got != map[bool]int{true: 2}[c.opens] {
					t.Errorf("%d channels are listed", got)
				}
				if c.opens {
					return
				}
				for _, p := range []*p2ptest.Peer{inbound, manual} {
					p.Closed()
					p.Close(false)
				}
				synctest.Wait()
				if got := n.logs.FilterMessage("Connection closed: the peer is of another network or version").Len(); got != 2 {
					t.Errorf("%d warnings of a peer of another network or version, want one for each", got)
				}
			})
		})
	}
}

// withTLS is a network in this process where tcp+tls runs over its tcp.
func withTLS() transport.Set {
	set := memory()
	set[addr.TCPTLS] = &transport.TLS{Over: set[addr.TCP]}
	return set
}

// onTLS makes the node listen and dial with TLS alone.
func onTLS(s *p2p.Settings) {
	s.Inbound = []addr.Addr{addr.MustParse("tcp+tls://127.0.0.1:0")}
	s.ActiveProfiles = []string{addr.TCPTLS}
}

// rawDial connects to the node below TLS.
func (n *node) rawDial() *p2ptest.Peer {
	n.t.Helper()
	below, ok := n.Addrs()[0].WithScheme(addr.TCP)
	if !ok {
		n.t.Fatal("no such scheme")
	}
	return p2ptest.Dial(n.t, n.set, below)
}

func TestH1SilentPeersAreCutAtTheHandshakeTimeoutAndHoldUpNobody(t *testing.T) {
	for name, tls := range map[string]func(*p2p.Settings){"tcp": func(*p2p.Settings) {}, "tcp+tls": onTLS} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := startNode(t, withTLS(), tls, func(s *p2p.Settings) { s.InboundConnections = 256 })
				start := time.Now()
				var silent []*p2ptest.Recording
				for range 60 { // of more some would have to go earlier
					silent = append(silent, n.rawDial().Record())
				}
				n.greeted()
				if took := time.Since(start); took > time.Second {
					t.Errorf("an honest peer was held up for %v", took)
				}
				for _, r := range silent {
					<-r.Done()
					if at, _, _ := r.Ended(); at.Sub(start) != 10*time.Second {
						t.Fatalf("a silent peer was cut after %v, want exactly 10s", at.Sub(start))
					}
				}
			})
		})
	}
}

func TestH2TricklingPeersAreCutAtTheSameMoment(t *testing.T) {
	for name, tls := range map[string]func(*p2p.Settings){"tcp": func(*p2p.Settings) {}, "tcp+tls": onTLS} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := startNode(t, withTLS(), tls)
				p := n.rawDial()
				bytes := p.Frame(&p.Version)
				if name == addr.TCPTLS {
					bytes = append([]byte{0x16, 3, 1, 2, 0, 1}, make([]byte, 100)...) // begins a ClientHello
				}
				start := time.Now()
				r := p.Record()
				for i := range bytes {
					if p.TryWrite(bytes[i:i+1]) != nil {
						break
					}
					<-time.After(time.Second)
				}
				<-r.Done()
				if at, _, _ := r.Ended(); at.Sub(start) != 10*time.Second {
					t.Errorf("cut after %v, want exactly 10s", at.Sub(start))
				}
			})
		})
	}
}

func TestTheHandshakeTimeoutIsThatOfTheProfile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l := listen(t, set)
		n := startNode(t, set, withPeers(l.Addr()), func(s *p2p.Settings) {
			profile := p2p.DefaultProfile(addr.TCP)
			profile.HandshakeTimeout = 3 * time.Second
			s.Profiles = map[string]p2p.Profile{addr.TCP: profile}
		})
		start := time.Now()
		p2ptest.Accept(t, l)
		wantReason(t, n.channel(), channel.ErrHandshakeTimeout)
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("cut after %v, want 3s", took)
		}
	})
}

func TestH3AHandshakeThatStaysIncompleteFreesItsSlot(t *testing.T) {
	for name, half := range map[string]func(*p2ptest.Peer) wire.Message{
		"version without verack": func(p *p2ptest.Peer) wire.Message { return &p.Version },
		"verack without version": func(p *p2ptest.Peer) wire.Message { return &p.Verack },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := startNode(t, memory(), func(s *p2p.Settings) { s.InboundConnections = 1 })
				p := n.dial()
				p.Send(half(p))
				ch := n.channel()
				wantReason(t, ch, channel.ErrHandshakeTimeout)
				<-time.After(time.Second)
				n.greeted()
			})
		})
	}
}

func TestH4ASecondVersionChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory())
		p := n.dial()
		p.Version.NodeID = "first"
		p.Greet()
		second := p.Version
		second.NodeID = "second"
		p.Send(&second, &wire.Verack{AppName: "other"})
		p.Alive()
		if got := n.channel().Remote().NodeID; got != "first" {
			t.Errorf("the node takes the peer for %q, want first", got)
		}
	})
}

func TestH6UntilTheHandshakeIsDoneAPeerIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory())
		p := n.dial()
		p.Send(&p.Version, &text{"early"})
		synctest.Wait()
		if got := n.received(); len(got) > 0 || len(n.Channels()) > 0 {
			t.Fatalf("before the handshake: received %q, %d channels listed", got, len(n.Channels()))
		}
		n.broadcast("not for you", 0)
		p.Send(&p.Verack)
		if got := n.text(); got != "early" {
			t.Errorf("received %q, want what came early", got)
		}
		n.broadcast("for you", 1)
	})
}

func TestH6LittleIsKeptBeforeTheHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory())
		n.dial().Send(&text{strings.Repeat("a", 2<<10)}, &text{strings.Repeat("b", 2<<10)})
		wantOffence(t, n.channel(), wire.Flood)
	})
}

func TestH9AVersionOfTheGreatestSizeIsTheGreatestAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory())
		p := n.dial()
		limit := p.Version.Spec().MaxPayload
		p.Version.NodeID = strings.Repeat("n", limit-len(p.Version.AppendPayload(nil))-2) // its length takes 3 bytes, not 1
		if size := len(p.Version.AppendPayload(nil)); size != limit {
			t.Fatalf("the test's version has %d bytes, want %d", size, limit)
		}
		p.Greet()
		n.channel()

		over := n.dial()
		p.Version.NodeID += "n"
		over.Write(over.RawFrame(wire.CommandVersion, p.Version.AppendPayload(nil)))
		wantOffence(t, n.channel(), wire.BadPayload)
	})
}
