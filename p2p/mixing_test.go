package p2p_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/hosts"
	"dchat/p2p/p2ptest"
	"dchat/p2p/session"
	"dchat/p2p/transport"
)

// untouchable is a network that nobody may dial, nor look up names for.
type untouchable struct {
	transport.Transport
	t *testing.T
}

func (u untouchable) Dial(_ context.Context, a addr.Addr) (transport.Conn, error) {
	u.t.Errorf("%s was dialled directly", a)
	return nil, errors.New("not to be dialled")
}

func (u untouchable) DialChecked(ctx context.Context, a addr.Addr, _ func(netip.Addr) error) (transport.Conn, error) {
	return u.Dial(ctx, a)
}

// carrier is a network that others go through. It remembers what was dialled, and where
// a network in memory stands for it.
type carrier struct {
	transport.Transport
	fail func(ctx context.Context) error

	mu     sync.Mutex
	dialed []string
}

func (c *carrier) Dial(ctx context.Context, a addr.Addr) (transport.Conn, error) {
	c.mu.Lock()
	c.dialed = append(c.dialed, a.String())
	c.mu.Unlock()
	if c.fail != nil {
		return nil, c.fail(ctx)
	}
	return c.Transport.Dial(ctx, a)
}

func (c *carrier) dials() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.dialed)
}

// hidden is a node that dials tcp and tcp+tls through tor alone, also where they are
// active themselves.
func hidden(s *p2p.Settings) {
	s.Inbound = nil
	s.ActiveProfiles = []string{addr.Tor, addr.TorTLS, addr.TCP, addr.TCPTLS}
	s.MixedProfiles = []string{addr.TCP, addr.TCPTLS}
	s.Profiles = map[string]p2p.Profile{addr.Tor: p2p.DefaultProfile(addr.Tor), addr.TorTLS: p2p.DefaultProfile(addr.TorTLS)}
	s.DialNames = true
	s.OutboundConnections = 4
}

func TestANodeThatHidesNeverDialsDirectly(t *testing.T) {
	for name, fail := range map[string]func(context.Context) error{
		"the way through works":   nil,
		"the way through is shut": func(context.Context) error { return errors.New("shut") },
		"the proxy is down":       func(context.Context) error { return fmt.Errorf("%w: it is down", transport.ErrProxy) },
		"the proxy is silent":     func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem := transport.NewMem()
				tor := &carrier{Transport: mem, fail: fail}
				direct := untouchable{mem, t}
				set := transport.Set{addr.TCP: direct, addr.TCPTLS: direct, addr.Tor: tor, addr.TorTLS: tor}
				n := startNode(t, set, hidden, func(s *p2p.Settings) {
					s.Peers = []addr.Addr{addr.MustParse("tcp://peer.example:1"), addr.MustParse("tcp+tls://[2001:db8::7]:2")}
					s.Seeds = []addr.Addr{addr.MustParse("tcp+tls://seed.example:3")}
				})
				<-time.After(time.Minute) // knowing nobody, it asks the seed
				n.hears(addr.MustParse("tcp://heard.example:4"), addr.MustParse("tcp://198.51.100.5:5"), addr.MustParse("tcp+tls://[2001:db8::6]:6"))
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if _, _, err := n.Channel(ctx, addr.MustParse("tcp://direct.example:7")); err == nil {
					t.Error("connected, and nobody is there")
				}
				<-time.After(10 * time.Minute)
				dialled := tor.dials()
				for _, want := range []string{
					"tor://peer.example:1/", "tor+tls://[2001:db8::7]:2/", "tor+tls://seed.example:3/", "tor://heard.example:4/",
					"tor://198.51.100.5:5/", "tor+tls://[2001:db8::6]:6/", "tor://direct.example:7/",
				} {
					if !slices.Contains(dialled, want) {
						t.Errorf("%s was never dialled", want)
					}
				}
			})
		})
	}
}

func TestAMixedChannelSaysNothingOfItsRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMem()
		l, err := mem.Listen(t.Context(), addr.MustParse("tcp://peer.example:1"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() //nolint:errcheck // nothing is lost
		set := transport.Set{addr.TCP: untouchable{mem, t}, addr.Tor: &carrier{Transport: mem}}
		n := startNode(t, set, hidden, withPeers(l.Addr()))
		peer := p2ptest.Accept(t, l)
		v := peer.Handshake()
		if v.ConnectRecvAddr != l.Addr() || !v.ResolveRecvAddr.IsZero() {
			t.Errorf("the peer hears that it is %q, dialled at %q; want its own address and nothing", v.ConnectRecvAddr, v.ResolveRecvAddr)
		}
		if got := n.channel().Addr(); got != l.Addr() {
			t.Errorf("the channel is to %s, want %s", got, l.Addr())
		}
		// The heartbeat is that of tcp: the first ping comes at once, the next one 30 s
		// after its answer.
		peer.AnswerPing()
		start := time.Now()
		peer.AnswerPing()
		if took := time.Since(start); took < 29*time.Second || took > 31*time.Second {
			t.Errorf("the second ping came after %v, want 30s", took)
		}
	})
}

func TestRoutesAreTriedInTurnWithinOneDeadline(t *testing.T) {
	stall := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for _, c := range []struct {
		name    string
		fail    func(context.Context) error
		within  time.Duration
		working bool
	}{
		{"the first refuses", func(context.Context) error { return errors.New("refused") }, 0, true},
		{"the first stalls", stall, 65 * time.Second / 2, true},
		{"all stall", stall, 65 * time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem := transport.NewMem()
				proxied := &carrier{Transport: mem, fail: stall}
				through := addr.MustParse("socks5://127.0.0.1:9050/peer.example:1")
				if c.working {
					proxied.fail = nil
					l, err := mem.Listen(t.Context(), through)
					if err != nil {
						t.Fatal(err)
					}
					serving(t, l)
					defer l.Close() //nolint:errcheck // nothing is lost
				}
				set := transport.Set{addr.TCP: untouchable{mem, t}, addr.Tor: &carrier{Transport: mem, fail: c.fail}, addr.Socks5: proxied}
				n := startNode(t, set, hidden, func(s *p2p.Settings) {
					s.ActiveProfiles = []string{addr.Tor, addr.Socks5}
					s.TorSocks5Proxy = addr.MustParse("socks5://127.0.0.1:9050")
				})
				start := time.Now()
				_, release, err := n.Channel(t.Context(), addr.MustParse("tcp://peer.example:1"))
				took := time.Since(start)
				if (err == nil) != c.working || took < c.within || took > c.within+time.Second {
					t.Errorf("after %v: %v, want it after %v", took, err, c.within)
				}
				if err == nil {
					release()
				}
				if got := proxied.dials(); !slices.Contains(got, through.String()) {
					t.Errorf("the second route dialled %v, want %s", got, through)
				}
			})
		})
	}
}

func TestAProxyThatIsDownIsNotHeldAgainstAnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMem()
		down := &carrier{Transport: mem, fail: func(context.Context) error { return fmt.Errorf("%w: it is down", transport.ErrProxy) }}
		n := newNode(t, transport.Set{addr.TCP: untouchable{mem, t}, addr.Tor: down}, hidden)
		a := addr.MustParse("tcp://198.51.100.5:5")
		n.hears(a)
		n.Hosts().Answered(a) // before anybody else tries it
		n.start()
		<-time.After(time.Hour)
		if got := n.colour(a); got != hosts.White.String() {
			t.Errorf("the address is %s after an hour without the proxy, want it as good as it was", got)
		}
		if got, slots := len(down.dials()), 4; got < 10 || got > slots*721 {
			t.Errorf("it was tried %d times in the hour, want every 5s at most by each of %d slots", got, slots)
		}
	})
}

func TestWhatCarriesNothingIsNotDialled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMem()
		n := startNode(t, transport.Set{addr.TCP: untouchable{mem, t}}, func(s *p2p.Settings) {
			s.Inbound = nil
			s.ActiveProfiles, s.MixedProfiles = []string{addr.Nym, addr.TCP}, []string{addr.TCP}
		})
		for text, want := range map[string]string{
			"tcp://198.51.100.5:5":     `no transport "nym" in this program`,
			"nym://a.example:1":        `no transport "nym" in this program`,
			"tcp+tls://198.51.100.5:5": `"tcp+tls" is not among the active profiles (nym, tcp)`,
		} {
			_, _, err := n.Channel(t.Context(), addr.MustParse(text))
			if !errors.Is(err, session.ErrNotDirect) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", text, err, want)
			}
		}
	})
}

func TestEachSchemeHasTheTimesOfItsProfile(t *testing.T) {
	profile := p2p.Profile{ConnectTimeout: 20 * time.Second, HandshakeTimeout: 7 * time.Second, HeartbeatInterval: 40 * time.Second}
	onion := addr.MustParse("tor://peer.example:1")
	start := func(t *testing.T, tor transport.Transport, peers ...addr.Addr) *node {
		return startNode(t, transport.Set{addr.Tor: tor}, withPeers(peers...), func(s *p2p.Settings) {
			s.ActiveProfiles = []string{addr.Tor}
			s.Profiles = map[string]p2p.Profile{addr.Tor: profile}
		})
	}
	fails := func(t *testing.T, n *node, after time.Duration) {
		t.Helper()
		start := time.Now()
		_, _, err := n.Channel(t.Context(), onion)
		if took := time.Since(start); err == nil || took < after || took > after+time.Second {
			t.Errorf("after %v: %v, want a failure after %v", took, err, after)
		}
	}
	t.Run("connect", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			stalled := &carrier{fail: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
			fails(t, start(t, stalled), profile.ConnectTimeout)
		})
	})
	t.Run("handshake", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			mem := transport.NewMem()
			l, err := mem.Listen(t.Context(), onion)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close() //nolint:errcheck // nothing is lost
			swallow(t, l)
			fails(t, start(t, mem), profile.HandshakeTimeout)
		})
	})
	t.Run("heartbeat", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			mem := transport.NewMem()
			l, err := mem.Listen(t.Context(), onion)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close() //nolint:errcheck // nothing is lost
			start(t, mem, onion)
			peer := p2ptest.Accept(t, l)
			peer.Handshake()
			peer.AnswerPing()
			asked := time.Now()
			<-time.After(profile.HeartbeatInterval - time.Second) // longer than the peer waits for a message
			peer.AnswerPing()
			if took := time.Since(asked); took < profile.HeartbeatInterval-time.Second || took > profile.HeartbeatInterval+time.Second {
				t.Errorf("the second ping came after %v, want %v", took, profile.HeartbeatInterval)
			}
		})
	})
}

func TestTwoDestinationsBehindOneProxyAreTwoPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMem()
		n := startNode(t, transport.Set{addr.Socks5: mem}, func(s *p2p.Settings) {
			s.Inbound, s.ActiveProfiles = nil, []string{addr.Socks5}
		})
		l, err := mem.Listen(t.Context(), addr.MustParse("socks5://127.0.0.1:9050")) // whatever it is asked for
		if err != nil {
			t.Fatal(err)
		}
		serving(t, l)
		defer l.Close() //nolint:errcheck // nothing is lost
		for _, destination := range []string{"a.example:1", "b.example:1"} {
			ch, release, err := n.Channel(t.Context(), addr.MustParse("socks5://127.0.0.1:9050/"+destination))
			if err != nil {
				t.Fatalf("%s: %v", destination, err)
			}
			defer release()
			if !strings.HasSuffix(ch.Addr().String(), destination) {
				t.Errorf("the channel to %s is to %s", destination, ch.Addr())
			}
		}
	})
}
