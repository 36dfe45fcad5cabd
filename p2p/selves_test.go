package p2p_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/p2ptest"
	"dchat/p2p/session"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// home is where the node listens, and elsewhere another name of the same place.
var home, elsewhere = addr.MustParse("tcp://127.0.0.1:1000"), addr.MustParse("tcp://192.0.2.7:7000")

// mirror is a network on which elsewhere leads to home; with translated, the ends
// of such a connection do not see the same addresses, as behind a router.
type mirror struct {
	transport.Transport
	translated bool

	mu    sync.Mutex
	dials map[addr.Addr]int
}

func newMirror(translated bool) *mirror {
	return &mirror{Transport: transport.NewMem(), translated: translated, dials: make(map[addr.Addr]int)}
}

func (m *mirror) Dial(ctx context.Context, a addr.Addr) (transport.Conn, error) {
	m.mu.Lock()
	m.dials[a]++
	m.mu.Unlock()
	if a != elsewhere {
		return m.Transport.Dial(ctx, a)
	}
	conn, err := m.Transport.Dial(ctx, home)
	if err != nil || !m.translated {
		return conn, err
	}
	return translatedConn{conn}, nil
}

func (m *mirror) dialled(a addr.Addr) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dials[a]
}

type translatedConn struct{ transport.Conn }

func (translatedConn) LocalAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.168.1.2:40000"))
}
func (translatedConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.7:7000"))
}

// atHome makes the node listen at home.
func atHome(s *p2p.Settings) { s.Inbound = []addr.Addr{home} }

// wantNoSelf checks that the node is connected to nobody, has banned nobody and
// does not take elsewhere for a good address.
func (n *node) wantNoSelf() {
	n.t.Helper()
	synctest.Wait()
	if chs := n.Channels(); len(chs) > 0 {
		n.t.Errorf("the node is connected to itself: %v %v", chs[0].Kind(), chs[0].Addr())
	}
	if c := n.colour(elsewhere); c == "white" || c == "gold" {
		n.t.Errorf("our own address is %s", c)
	}
	if bans := n.Hosts().Bans(); len(bans) > 0 || n.Hosts().Refused(addr.MustParse("tcp://127.0.0.1:5")) {
		n.t.Errorf("banned: %v", bans)
	}
}

func TestH7AConnectionToOurselvesIsRecognisedAndNotTriedAgain(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*p2p.Settings)
		hears  bool // of the address, again and again
		within time.Duration
		most   int // dials
	}{
		{"manual", func(s *p2p.Settings) { s.Peers = []addr.Addr{elsewhere} }, false, 24*time.Hour - 10*time.Minute, 1},
		{"manual, a day later", func(s *p2p.Settings) { s.Peers = []addr.Addr{elsewhere} }, false, 25 * time.Hour, 2},
		{"outbound", func(s *p2p.Settings) { s.OutboundConnections = 1 }, true, 24*time.Hour - 10*time.Minute, 1},
		{"refine", func(*p2p.Settings) {}, true, 24*time.Hour - 10*time.Minute, 1},
		{"seed", func(s *p2p.Settings) { s.OutboundConnections, s.Seeds = 1, []addr.Addr{elsewhere} }, false, 24*time.Hour - 10*time.Minute, 1},
	} {
		for _, how := range []struct {
			name             string
			hide, translated bool
		}{{"by its mark", false, false}, {"by its mark, behind a router", false, true}, {"by its sockets, features hidden", true, false}} {
			t.Run(c.name+" "+how.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					network := newMirror(how.translated)
					n := startNode(t, transport.Set{addr.TCP: network}, atHome, c.change, func(s *p2p.Settings) { s.HideFeatures = how.hide })
					for passed := time.Duration(0); passed < c.within-time.Minute; passed += 10 * time.Minute {
						if c.hears {
							n.hears(elsewhere)
						}
						n.wantNoSelf()
						<-time.After(10 * time.Minute)
					}
					n.wantNoSelf()
					if got := network.dialled(elsewhere); got != c.most {
						t.Errorf("dialled %d times within %v, want %d", got, c.within, c.most)
					}
					if got := n.logs.Filter(func(e observer.LoggedEntry) bool { return e.Level > zap.InfoLevel }).Len(); got > c.most {
						t.Errorf("%d warnings, want one each time", got)
					}
				})
			})
		}
	}
}

func TestH7BothEndsEndAndTheLogSaysWhyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, transport.Set{addr.TCP: newMirror(false)}, atHome, func(s *p2p.Settings) { s.Peers = []addr.Addr{elsewhere} })
		for range 2 {
			wantReason(t, n.channel(), session.ErrSelf)
		}
		<-time.After(time.Hour)
		if got := n.logs.FilterMessage("A peer is this node itself: take it out of the peers").Len(); got != 1 {
			t.Errorf("%d warnings, want 1", got)
		}
		told := 0
		for _, entry := range n.logs.Filter(func(e observer.LoggedEntry) bool { return e.Level > zap.DebugLevel }).All() {
			if err, ok := entry.ContextMap()["error"].(string); ok && strings.Contains(err, session.ErrSelf.Error()) {
				told++
			}
		}
		if told != 1 {
			t.Errorf("the log says %d times that it is our own address, want once beside the warning", told)
		}
	})
}

func TestH7ADirectConnectionToOurselvesFailsAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, transport.Set{addr.TCP: newMirror(true)}, atHome)
		if _, _, err := n.Channel(t.Context(), elsewhere); !errors.Is(err, session.ErrSelf) {
			t.Errorf("error is %v, want ErrSelf", err)
		}
		n.wantNoSelf()
	})
}

// TestH7OnRealSockets connects to ourselves by name, under the system's own eyes.
func TestH7OnRealSockets(t *testing.T) {
	for _, scheme := range []string{addr.TCP, addr.TCPTLS} {
		for _, hide := range []bool{false, true} {
			t.Run(scheme, func(t *testing.T) {
				n := startNode(t, transport.Default(), func(s *p2p.Settings) {
					s.Inbound = []addr.Addr{addr.MustParse(scheme + "://127.0.0.1:0")}
					s.ActiveProfiles = []string{scheme}
					s.HideFeatures = hide
				})
				port, _ := n.Addrs()[0].Port()
				alias, _ := addr.MustParse(scheme + "://localhost").WithPort(port)
				if _, _, err := n.Channel(t.Context(), alias); !errors.Is(err, session.ErrSelf) {
					t.Errorf("error is %v, want ErrSelf", err)
				}
				eventually(t, "no channel is left", func() bool { return len(n.Channels()) == 0 })
			})
		}
	}
}

// mark is the feature by which a node recognises its own connection.
func mark(v wire.Version) []wire.Feature {
	for _, f := range v.Features {
		if strings.HasPrefix(f.Name, "conn:") {
			return []wire.Feature{f}
		}
	}
	return nil
}

func TestMarksDifferFromConnectionToConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory())
		seen := make(map[string]bool)
		for range 8 {
			seen[mark(n.dial().Handshake())[0].Name] = true
		}
		if len(seen) != 8 {
			t.Errorf("8 connections have %d marks", len(seen))
		}
	})
}

// TestAForgedMarkEndsNoConnectionOfOthers: somebody who sees the marks of others
// repeats them.
func TestAForgedMarkEndsNoConnectionOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		l := listen(t, set)
		n := startNode(t, set, both(l.Addr()))
		var theirs wire.Version
		honest := p2ptest.Accept(t, l)
		honest.Expect(&theirs)

		liar := n.dial()
		liar.Version.Features = mark(theirs)
		liar.Handshake()
		honest.Version.Features = []wire.Feature{{Name: "conn:0123456789abcdef", Version: 1}}
		honest.Send(&honest.Version, &honest.Verack)
		honest.Expect(&wire.Verack{})
		synctest.Wait()
		if got := len(n.Channels()); got != 2 {
			t.Errorf("%d channels, want that of the owner of the mark and that of the liar", got)
		}

		same := n.dial() // repeats the mark of its own connection
		same.Expect(&theirs)
		same.Version.Features = mark(theirs)
		same.Send(&same.Version, &same.Verack)
		same.AnswerPing()

		one, other := n.dial(), n.dial() // two inbound ones with each other's marks
		one.Expect(&theirs)
		other.Version.Features = mark(theirs)
		other.Expect(&theirs)
		one.Version.Features = mark(theirs)
		one.Send(&one.Version, &one.Verack)
		other.Send(&other.Version, &other.Verack)
		one.AnswerPing()
		other.AnswerPing()
		if got := len(n.Channels()); got != 5 {
			t.Errorf("%d channels, want all", got)
		}
	})
}

// TestHiddenFeaturesHideTheMark: a node that cannot be told from a stock node.
func TestHiddenFeaturesHideTheMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory(), func(s *p2p.Settings) { s.HideFeatures = true })
		if got := n.dial().Handshake().Features; got != nil {
			t.Errorf("features are %v, want none", got)
		}
	})
}
