package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/p2ptest"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

var (
	onionAddr = addr.MustParse("tor://p53lf57qovyuvwsc6xnrppyply3vtqm7l6pcobkmyqsiofyeznfu5uqd.onion:1")
	torProxy  = addr.MustParse("socks5://127.0.0.1:9050")
	nymProxy  = addr.MustParse("socks5://127.0.0.1:1080")
)

// untouchable fails the test when it is dialled, or asked for a name.
type untouchable struct {
	transport.Transport
	t *testing.T
}

func (u untouchable) Dial(_ context.Context, a addr.Addr) (transport.Conn, error) {
	u.t.Errorf("%v was dialled directly", a)
	return nil, errors.New("not to be dialled")
}

func (u untouchable) DialChecked(ctx context.Context, a addr.Addr, _ func(netip.Addr) error) (transport.Conn, error) {
	return u.Dial(ctx, a)
}

func (u untouchable) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	u.t.Errorf("%s was looked up", host)
	return nil, errors.New("not to be looked up")
}

// proxied is a patient all of whose ways are through proxies, which are to be on the network
// in memory that is returned.
func proxied(t *testing.T, change func(*p2p.Settings)) (Patient, *transport.Mem) {
	mem := transport.NewMem()
	direct := untouchable{mem, t}
	set := transport.Set{
		addr.TCP: direct, addr.TCPTLS: &transport.TLS{Over: direct}, addr.QUIC: direct,
		addr.Tor: &transport.Socks5{Over: mem, Proxy: torProxy, Isolate: torProxy}, addr.Socks5: &transport.Socks5{Over: mem},
		addr.I2P: &transport.Socks5{Over: mem, Proxy: addr.MustParse("socks5://127.0.0.1:4447")},
	}
	set[addr.TorTLS] = &transport.TLS{Over: set[addr.Tor]}
	p := patient(set, func(s *p2p.Settings) {
		s.ActiveProfiles = []string{addr.Tor, addr.TorTLS, addr.TCP, addr.TCPTLS}
		s.MixedProfiles = []string{addr.TCP, addr.TCPTLS}
		for _, scheme := range []string{addr.Tor, addr.TorTLS, addr.Socks5, addr.I2P} {
			s.Profiles[scheme] = p2p.DefaultProfile(scheme)
		}
		change(s)
	})
	p.Resolver = direct
	return p, mem
}

// socks is a listener of a proxy that does its part, so that what it accepts are the
// connections to the destinations.
type socks struct {
	transport.Listener
	t     *testing.T
	asked []string
}

func (s *socks) Accept() (transport.Conn, error) {
	conn, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	read := func(n int) []byte {
		b := make([]byte, n)
		if _, err := io.ReadFull(conn, b); err != nil {
			s.t.Error(err)
		}
		return b
	}
	read(int(read(2)[1]))
	answer(s.t, conn, 5, 0)
	switch read(4)[3] {
	case 1:
		s.asked = append(s.asked, netip.AddrFrom4([4]byte(read(4))).String())
	case 3:
		s.asked = append(s.asked, string(read(int(read(1)[0]))))
	}
	read(2)
	answer(s.t, conn, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0)
	return conn, nil
}

func answer(t *testing.T, w io.Writer, b ...byte) {
	if _, err := w.Write(b); err != nil {
		t.Error(err)
	}
}

// stages are the checks of a stage in short: status, step and detail.
func stages(r Report, stage string) string {
	var lines []string
	for _, c := range checksOf(r, stage) {
		lines = append(lines, fmt.Sprintf("%s %s %s", c.Status, c.Step, c.Detail))
	}
	return strings.Join(lines, "\n")
}

func TestAProxyIsToldFromWhatLiesBehindIt(t *testing.T) {
	refuses := func(code byte) func(*testing.T, io.Writer) {
		return func(t *testing.T, w io.Writer) { answer(t, w, 5, 0, 5, code, 0, 1, 0, 0, 0, 0, 0, 0) }
	}
	const proxyOK = "ok proxy 127.0.0.1:9050\n"
	for _, c := range []struct {
		name   string
		says   func(*testing.T, io.Writer) // nil: nobody listens
		want   string
		advice string
	}{
		{"nobody listens", nil,
			"fail proxy the proxy 127.0.0.1:9050 cannot be reached: connection refused", "Start tor (it listens at 127.0.0.1:9050 unless told otherwise), or correct net.tor_socks5_proxy."},
		{"a web server", func(t *testing.T, w io.Writer) { answer(t, w, []byte("HTTP/1.1 400 Bad Request\r\n")...) },
			"fail proxy the proxy 127.0.0.1:9050 does not speak SOCKS5", "Correct net.tor_socks5_proxy: it has to be the SOCKS5 port of tor"},
		{"wants another user", func(t *testing.T, w io.Writer) { answer(t, w, 5, 2, 1, 1) },
			"fail proxy the proxy 127.0.0.1:9050 refuses the user name and password", "socks5://user:password@host:port"},
		{"hangs", func(*testing.T, io.Writer) {},
			"fail proxy the proxy 127.0.0.1:9050 does not answer", "Correct net.tor_socks5_proxy"},
		{"hangs behind", func(t *testing.T, w io.Writer) { answer(t, w, 5, 0) },
			proxyOK + "fail connect the proxy 127.0.0.1:9050 has not connected in time", "try again"},
		{"fails", refuses(1), proxyOK + "fail connect the proxy 127.0.0.1:9050 says: failure", "Bootstrapped 100%"},
		{"unreachable", refuses(4), proxyOK + "fail connect the proxy 127.0.0.1:9050 says: host unreachable", "Nobody is there"},
		{"refused", refuses(5), proxyOK + "fail connect the proxy 127.0.0.1:9050 says: connection refused", "Otherwise take another seed."},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, mem := proxied(t, withSeeds(onionAddr))
				if c.says != nil {
					l, err := mem.Listen(t.Context(), addr.MustParse("tcp://127.0.0.1:9050"))
					if err != nil {
						t.Fatal(err)
					}
					defer l.Close() //nolint:errcheck // nothing is lost
					go func() {
						conn, err := l.Accept()
						if err != nil {
							t.Error(err)
							return
						}
						c.says(t, conn)
						_, _ = io.Copy(io.Discard, conn) // until the doctor closes
						_ = conn.Close()
					}()
				}
				r := Examine(t.Context(), p)
				if got := stages(r, StageSeed); got != c.want {
					t.Errorf("got\n%s\nwant\n%s", got, c.want)
				}
				if last := checksOf(r, StageSeed); !strings.Contains(last[len(last)-1].Advice, c.advice) {
					t.Errorf("advice is %q, want %q", last[len(last)-1].Advice, c.advice)
				}
				if reason := c.want[strings.LastIndex(c.want, "the proxy"):]; !strings.Contains(r.Summary, reason) {
					t.Errorf("the reason is not in the summary: %q", r.Summary)
				}
			})
		})
	}
}

// Tor that does not run is the one cause of all that does not answer.
func TestTheSummaryNamesTheProxy(t *testing.T) {
	p, _ := proxied(t, hidden)
	p.Settings.ExternalAddrs = nil
	if got, want := Examine(t.Context(), p).Summary, "No daemon. And it would not get connected: the proxy 127.0.0.1:9050 cannot be reached: connection refused."; got != want {
		t.Errorf("summary is %q\nwant %q", got, want)
	}
}

func TestARouteThatIsPassedOverIsNotTheReason(t *testing.T) {
	p, _ := proxied(t, withSeeds(addr.MustParse("tcp://seed.example:1")))
	p.Settings.ActiveProfiles = []string{addr.Tor, addr.Nym}
	if got := Examine(t.Context(), p).Summary; !strings.HasSuffix(got, "seed tcp://seed.example:1: the proxy 127.0.0.1:9050 cannot be reached: connection refused.") {
		t.Errorf("summary is %q", got)
	}
}

// Each kind of proxy is corrected somewhere else.
func TestTheAdviceNamesTheProxy(t *testing.T) {
	for _, c := range []struct {
		seed   string
		change func(*p2p.Settings)
		want   string
	}{
		{"i2p://some.i2p:1", func(s *p2p.Settings) { s.ActiveProfiles = []string{addr.I2P} }, "net.i2p_socks5_proxy"},
		{"socks5://127.0.0.1:7/peer.example:1", func(s *p2p.Settings) { s.ActiveProfiles = []string{addr.Socks5} }, "the host and port of the proxy in the address"},
		{"tcp://peer.example:1", func(s *p2p.Settings) {
			s.ActiveProfiles, s.TorSocks5Proxy = []string{addr.Socks5}, torProxy
		}, "net.tor_socks5_proxy"},
		{"tcp://peer.example:1", func(s *p2p.Settings) {
			s.ActiveProfiles, s.NymSocks5Proxy = []string{addr.Socks5}, nymProxy
		}, "net.nym_socks5_proxy"},
	} {
		t.Run(c.want, func(t *testing.T) {
			p, _ := proxied(t, withSeeds(addr.MustParse(c.seed)))
			c.change(&p.Settings)
			last := wantLast(t, Examine(t.Context(), p), Check{Stage: StageSeed, Step: StepProxy, Status: Fail})
			if !strings.Contains(last.Advice, c.want) {
				t.Errorf("advice is %q, want %q", last.Advice, c.want)
			}
		})
	}
}

// What others hear of a node that comes through a proxy is the address that they are
// known by, and nothing of the way.
func TestAPeerBehindAProxyIsExaminedThroughIt(t *testing.T) {
	for _, c := range []struct {
		seed, asked, endpoint string
		want                  string
	}{
		{"tcp://peer.example:1", "peer.example", "", "ok route dialled as tor://peer.example:1\n"},
		{"tcp+tls://198.51.100.7:1", "198.51.100.7", "", "ok route dialled as tor+tls://198.51.100.7:1\n"},
		{onionAddr.String(), onionAddr.Hostname(), onionAddr.String(), ""},
		{"socks5://user:secret@127.0.0.1:9050/peer.example:1", "peer.example", "", ""},
	} {
		t.Run(c.seed, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seed := addr.MustParse(c.seed)
				p, mem := proxied(t, withSeeds(seed))
				p.Settings.ActiveProfiles = append(p.Settings.ActiveProfiles, addr.Socks5)
				l, err := mem.Listen(t.Context(), addr.MustParse("tcp://127.0.0.1:9050"))
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close() //nolint:errcheck // nothing is lost
				proxy := &socks{Listener: l, t: t}
				var behind transport.Listener = proxy
				want := c.want + "ok proxy 127.0.0.1:9050\nok connect the proxy has connected to it\n"
				if strings.Contains(c.seed, "+tls") {
					set := transport.Set{"x": &transport.TLS{Over: listening{proxy}}}
					if behind, err = set.Listen(t.Context(), addr.MustParse("x://h:1")); err != nil {
						t.Fatal(err)
					}
					want += "ok tls the certificate is of the right kind\n"
				}
				done := begin(t, p)
				peer := p2ptest.Accept(t, behind)
				version := peer.Handshake()
				if version.ConnectRecvAddr != seed.Public() || version.ResolveRecvAddr.String() != c.endpoint {
					t.Errorf("the peer hears that it is %q, dialled at %q", version.ConnectRecvAddr, version.ResolveRecvAddr)
				}
				peer.Send(&wire.Addrs{})
				want += "ok version it runs dchatd 0.4.1\nwarn addresses it knows nobody but you"
				if got := stages(<-done, StageSeed); got != want {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
				if !slices.Equal(proxy.asked, []string{c.asked}) {
					t.Errorf("the proxy was asked for %v, want %s", proxy.asked, c.asked)
				}
			})
		})
	}
}

// A program may lead even tcp through a proxy.
func TestWhatATransportLeavesToItsProxyIsNotLookedUp(t *testing.T) {
	p, mem := proxied(t, withSeeds(addr.MustParse("tcp://seed.example:1"), addr.MustParse("tcp+tls://seed.example:1")))
	p.Settings.MixedProfiles = nil
	p.Transports[addr.TCP] = &transport.Socks5{Over: mem, Proxy: torProxy}
	p.Transports[addr.TCPTLS] = &transport.TLS{Over: p.Transports[addr.TCP]}
	wantLast(t, Examine(t.Context(), p), Check{Stage: StageSeed, Step: StepProxy, Status: Fail})
}

func TestTheProxiesAreThoseOfTheSettings(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil { // so that nobody listens there
		t.Fatal(err)
	}
	for _, seed := range []addr.Addr{onionAddr, addr.MustParse("i2p://some.i2p:1")} {
		p := Patient{Settings: p2p.DefaultSettings()}
		p.Settings.Seeds, p.Settings.ActiveProfiles = []addr.Addr{seed}, []string{addr.Tor, addr.I2P}
		p.Settings.TorSocks5Proxy = addr.MustParse("socks5://" + l.Addr().String())
		p.Settings.I2PSocks5Proxy = p.Settings.TorSocks5Proxy
		wantLast(t, Examine(t.Context(), p), Check{Stage: StageSeed, Step: StepProxy, Status: Fail,
			Detail: "the proxy " + l.Addr().String() + " cannot be reached: connect: connection refused"})
	}
}

// listening is a transport that has one listener.
type listening struct{ transport.Listener }

func (listening) Dial(context.Context, addr.Addr) (transport.Conn, error) {
	return nil, errors.New("it only listens")
}

func (l listening) Listen(context.Context, addr.Addr) (transport.Listener, error) {
	return l.Listener, nil
}

func TestEachRouteIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := addr.MustParse("tcp://peer.example:1")
		p, mem := proxied(t, func(s *p2p.Settings) {
			s.ActiveProfiles = []string{addr.Tor, addr.Nym, addr.Socks5}
			s.TorSocks5Proxy, s.NymSocks5Proxy = torProxy, nymProxy
			s.Peers = []addr.Addr{a}
		})
		asked := 0
		p.Asking = func(addr.Addr) { asked++ }
		const want = `ok route dialled as tor://peer.example:1
fail proxy the proxy 127.0.0.1:9050 cannot be reached: connection refused
skip route nym://peer.example:1 is passed over: this program has no transport "nym"
ok route dialled as socks5://127.0.0.1:9050/peer.example:1
fail proxy the proxy 127.0.0.1:9050 cannot be reached: connection refused
ok route dialled as socks5://127.0.0.1:1080/peer.example:1
fail proxy the proxy 127.0.0.1:1080 cannot be reached: connection refused`
		r := Examine(t.Context(), p)
		if got := stages(r, StagePeer); got != want || asked != 1 {
			t.Errorf("asked %d times:\n%s\nwant\n%s", asked, got, want)
		}
		if want := "No daemon. And it would not get connected: peer tcp://peer.example:1: the proxy 127.0.0.1:1080 cannot be reached: connection refused."; r.Summary != want {
			t.Errorf("summary is %q, want %q", r.Summary, want)
		}

		l, err := mem.Listen(t.Context(), addr.MustParse("tcp://127.0.0.1:1080"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() //nolint:errcheck // nothing is lost
		done := begin(t, p)
		p2ptest.Accept(t, &socks{Listener: l, t: t}).Handshake()
		r = <-done
		if r.Summary != "No daemon. Of its seeds and peers 1 of 1 can be reached." {
			t.Errorf("one route works, and the summary is %q", r.Summary)
		}
		better := strings.ReplaceAll(want, "fail", "warn")
		better = better[:strings.LastIndex(better, "warn")] + "ok proxy 127.0.0.1:1080\nok connect the proxy has connected to it\nok version it runs dchatd 0.4.1"
		if got := stages(r, StagePeer); got != better {
			t.Errorf("got\n%s\nwant\n%s", got, better)
		}
	})
}
