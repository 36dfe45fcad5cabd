package doctor

import (
	"strings"
	"testing"
	"testing/synctest"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/p2ptest"
)

// hidden are settings of a node that hides, with something at every stage.
func hidden(s *p2p.Settings) {
	s.Seeds = []addr.Addr{addr.MustParse("tcp://seed.example:1"), addr.MustParse("tcp+tls://seed.example:2"), addr.MustParse("quic://seed.example:3")}
	s.Peers = []addr.Addr{addr.MustParse("tcp://198.51.100.4:4"), addr.MustParse("tcp+tls://[2001:db8::5]:5"), onionAddr}
	s.ExternalAddrs = []addr.Addr{addr.MustParse("tcp://me.example:6"), addr.MustParse("quic://me.example:7"), addr.MustParse("tcp+tls://8.8.8.8:8")}
}

func TestANodeThatHidesIsNeverExaminedDirectly(t *testing.T) {
	anywhere := addr.MustParse("tcp://0.0.0.0:9")
	for name, change := range map[string]func(*p2p.Settings){
		"tor, and mixed":              func(*p2p.Settings) {},
		"tor alone":                   func(s *p2p.Settings) { s.ActiveProfiles, s.MixedProfiles = []string{addr.Tor}, nil },
		"i2p alone":                   func(s *p2p.Settings) { s.ActiveProfiles, s.MixedProfiles = []string{addr.I2P}, nil },
		"mixed, and carried by socks": func(s *p2p.Settings) { s.ActiveProfiles, s.TorSocks5Proxy = []string{addr.Socks5}, torProxy },
		"mixed, and carried by none":  func(s *p2p.Settings) { s.ActiveProfiles = []string{addr.Socks5} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, _ := proxied(t, hidden)
				change(&p.Settings)
				p.Node = newFakeNode()
				Examine(t.Context(), p)

				p.Node, p.Settings.Inbound = nil, []addr.Addr{anywhere}
				l := listen(t, p.Transports, anywhere) // so that who is there would be asked
				Examine(t.Context(), p)
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestANodeThatShowsItselfIsAskedAtItsOwnAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := patient(memory(), func(s *p2p.Settings) {
			s.ActiveProfiles, s.ExternalAddrs = []string{addr.TCPTLS}, []addr.Addr{ownAddr}
		})
		p.Node = newFakeNode()
		peer, done := askedBy(t, p, ownAddr)
		peer.Handshake()
		wantLast(t, <-done, Check{Stage: StageExternal, Step: StepVersion, Status: OK})
	})
}

func TestAnOnionServiceOfOurOwnIsAskedThroughTor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, mem := proxied(t, func(s *p2p.Settings) { s.ExternalAddrs = []addr.Addr{onionAddr} })
		p.Node = newFakeNode()
		l, err := mem.Listen(t.Context(), addr.MustParse("tcp://127.0.0.1:9050"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() //nolint:errcheck // nothing is lost
		done := begin(t, p)
		p2ptest.Accept(t, &socks{Listener: l, t: t}).Handshake()
		const want = "ok proxy 127.0.0.1:9050\nok connect the proxy has connected to it\nok version it runs dchatd 0.4.1"
		r := <-done
		if got := stages(r, StageExternal); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		if advice := checksOf(r, StageExternal)[2].Advice; advice != "" { // it came from outside
			t.Errorf("advice is %q", advice)
		}
	})
}

func TestAnOnionServiceThatLeadsNowhereIsAWarning(t *testing.T) {
	p, _ := proxied(t, func(s *p2p.Settings) { s.ExternalAddrs = []addr.Addr{onionAddr} })
	p.Node = newFakeNode()
	p.Transports[addr.Tor] = dialled{err: errBroken}
	last := wantLast(t, Examine(t.Context(), p), Check{Stage: StageExternal, Step: StepConnect, Status: Warn})
	if !strings.Contains(last.Advice, "hidden service") || strings.Contains(last.Advice, "router") {
		t.Errorf("advice is %q", last.Advice)
	}
}

// A node that hides is found all the same at an address of its own that anybody can
// connect to.
func TestWhatGivesAHiddenNodeAwayIsWarnedOf(t *testing.T) {
	const listens, tells = "this node connects through proxies only, but listens", "this node connects through proxies only, but tells"
	const maps = "this node connects through proxies only, but has the router lead others to it"
	for _, c := range []struct {
		name              string
		inbound, external string
		change            func(*p2p.Settings)
		want              []string
	}{
		{"neither", "", "", nil, nil},
		{"a port for everybody", "tcp://0.0.0.0:1", "", nil, []string{listens}},
		{"a port of IPv6", "tcp+tls://[::]:1", "", nil, []string{listens}},
		{"a port of quic", "quic://me.example:1", "", nil, []string{listens}},
		{"a port for tor", "tcp://127.0.0.1:1", onionAddr.String(), nil, nil},
		{"a port for tor, by name", "tcp://localhost:1", "tcp://" + onionAddr.HostPort(), nil, nil},
		{"a socket", "unix:///run/x", "i2p://me.i2p:1", nil, nil},
		{"a public address", "tcp://127.0.0.1:1", "tcp://8.8.8.8:1", nil, []string{tells}},
		{"a public name", "tcp://127.0.0.1:1", "quic://me.example:1", nil, []string{tells}},
		{"whatever IPv6 address it has", "tcp://127.0.0.1:1", "tcp://[::]:1", nil, []string{tells}},
		{"a port of the router", "tcp://127.0.0.1:1", "", func(s *p2p.Settings) { s.PortMapping = true }, []string{maps}},
		{"both", "tcp://0.0.0.0:1", "tcp://8.8.8.8:1", nil, []string{listens, tells}},
		{"a node that also dials directly", "tcp://0.0.0.0:1", "tcp://8.8.8.8:1", func(s *p2p.Settings) { s.MixedProfiles = nil }, nil},
		{"an ordinary node", "tcp://0.0.0.0:1", "tcp://8.8.8.8:1", func(s *p2p.Settings) { s.ActiveProfiles, s.MixedProfiles = []string{addr.TCP}, nil }, nil},
		{"a mixed profile that nothing carries", "tcp://0.0.0.0:1", "tcp://8.8.8.8:1", func(s *p2p.Settings) { s.ActiveProfiles = []string{addr.TCP, addr.Socks5} }, nil},
		{"one that dials sockets alone", "tcp://0.0.0.0:1", "tcp://8.8.8.8:1", func(s *p2p.Settings) { s.ActiveProfiles, s.MixedProfiles = []string{addr.Unix}, nil }, nil},
		{"one that dials nobody", "tcp://0.0.0.0:1", "tcp://8.8.8.8:1", func(s *p2p.Settings) { s.ActiveProfiles, s.MixedProfiles = nil, nil }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, _ := proxied(t, func(s *p2p.Settings) {
				if c.inbound != "" {
					s.Inbound = []addr.Addr{addr.MustParse(c.inbound)}
				}
				if c.external != "" {
					s.ExternalAddrs = []addr.Addr{addr.MustParse(c.external)}
				}
			})
			if c.change != nil {
				c.change(&p.Settings)
			}
			var got []string
			for _, check := range checksOf(Examine(t.Context(), p), StageExternal) {
				if check.Status == Warn {
					got = append(got, check.Detail)
				}
			}
			if len(got) != len(c.want) {
				t.Fatalf("warned of %q, want %q", got, c.want)
			}
			for i, want := range c.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("warned of %q, want %q", got[i], want)
				}
			}
		})
	}
}
