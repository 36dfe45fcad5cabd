package transport_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
	"dchat/p2p/transport/sockstest"
	"dchat/p2p/transport/transporttest"
)

const (
	onion = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"
	b32   = "ukeu3k5oycgaauneqgtnvselmt4yemvoilkln7jpvamvfx7dnkdq.b32.i2p"

	// A user and its password, as they stand in an address and as they are.
	userinfo = "some%20one:hunter2%40@"
	user     = "some one"
	password = "hunter2@"
)

// socksProxy is a SOCKS5 proxy on loopback, which takes every name for 127.0.0.1.
type socksProxy struct {
	*sockstest.Proxy
	endpoint string
}

// startSocks runs a proxy until the test ends: for everybody, or for those whose user
// name and password are accepted.
func startSocks(t testing.TB, accepts func(user, password string) bool) socksProxy {
	p, endpoint := sockstest.Start(t, accepts)
	return socksProxy{p, endpoint}
}

func someone(u, p string) bool { return u == user && p == password }

// to is the address of a destination behind the proxy.
func (p socksProxy) to(scheme, userinfo, destination string) addr.Addr {
	return addr.MustParse(scheme + "://" + userinfo + p.endpoint + "/" + destination)
}

// guarded is TCP that goes to a proxy and nowhere else, and looks up nothing.
func guarded(t testing.TB, proxy string) transport.Transport {
	return &guard{&transport.TCP{Resolver: untouched(t)}, t, proxy}
}

type guard struct {
	transport.Transport
	t     testing.TB
	proxy string
}

func (g *guard) Dial(ctx context.Context, a addr.Addr) (transport.Conn, error) {
	if a.HostPort() != g.proxy {
		g.t.Errorf("dialled %s, want the proxy %s alone", a, g.proxy)
	}
	return g.Transport.Dial(ctx, a)
}

func untouched(t testing.TB) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		t.Error("a name was looked up")
		return nil, errors.New("no name service")
	}}
}

func TestSocks5(t *testing.T) {
	for _, c := range []struct {
		name, userinfo string
		accepts        func(user, password string) bool
	}{
		{"for everybody", "", nil},
		{"for everybody, asked by a user", userinfo, nil},
		{"for a user", userinfo, someone},
	} {
		subject := func(t *testing.T) transporttest.Subject {
			p := startSocks(t, c.accepts)
			return transporttest.Subject{
				Transport: &transport.Socks5{Over: guarded(t, p.endpoint)},
				Listener:  &transport.TCP{},
				Listen:    addr.MustParse("tcp://127.0.0.1:0"),
				To:        func(l addr.Addr) addr.Addr { return p.to("socks5", c.userinfo, l.HostPort()) },
				Stalled: func(t *testing.T) addr.Addr { // at the destination
					return p.to("socks5", c.userinfo, transporttest.StalledTCP(t, "127.0.0.1:0"))
				},
			}
		}
		t.Run(c.name, func(t *testing.T) { transporttest.Run(t, subject) })
		t.Run(c.name+", with TLS", func(t *testing.T) {
			transporttest.Run(t, func(t *testing.T) transporttest.Subject {
				s := subject(t)
				plain := s.To
				s.Transport, s.Listener = &transport.TLS{Over: s.Transport}, &transport.TLS{Over: s.Listener}
				s.Listen, _ = s.Listen.WithScheme("tcp+tls")
				s.To = func(l addr.Addr) addr.Addr {
					a, _ := plain(l).WithScheme("socks5+tls")
					return a
				}
				return s
			})
		})
	}
}

func TestSocks5WithAProxyOfItsOwn(t *testing.T) {
	transporttest.Run(t, func(t *testing.T) transporttest.Subject {
		p := startSocks(t, func(u, _ string) bool { return u != "" })
		return transporttest.Subject{
			Transport: &transport.Socks5{
				Over:    &transport.TCP{},
				Proxy:   addr.MustParse("socks5://" + p.endpoint),
				Isolate: addr.MustParse("socks5://" + p.endpoint),
			},
			Listener: &transport.TCP{},
			Listen:   addr.MustParse("tcp://127.0.0.1:0"),
			To: func(l addr.Addr) addr.Addr {
				a, _ := l.WithScheme("tor")
				return a
			},
			Stalled: func(t *testing.T) addr.Addr {
				return addr.MustParse("tor://" + transporttest.StalledTCP(t, "127.0.0.1:0"))
			},
		}
	})
}

func TestSocks5SendsNamesAsTheyAre(t *testing.T) {
	own := func(p socksProxy) addr.Addr { return addr.MustParse("socks5://" + userinfo + p.endpoint) }
	none := func(socksProxy) addr.Addr { return addr.Addr{} }
	for _, c := range []struct {
		name   string
		proxy  func(socksProxy) addr.Addr
		scheme string
		host   string // as it is written
		want   string
	}{
		{"a name", none, "socks5", "Node.Example.Org", "node.example.org"},
		{"a name that is this machine's", none, "socks5", "localhost", "localhost"},
		{"a name in other letters", none, "socks5", "b%C3%BCcher.example", "xn--bcher-kva.example"},
		{"an onion service", none, "socks5", onion, onion},
		{"an IPv4 address", none, "socks5", "0x7f.1", "127.0.0.1"},
		{"an IPv6 address", none, "socks5", "%5B::1]", "::1"},
		{"an onion service through Tor", own, "tor", onion, onion},
		{"another host through Tor", own, "tor", "node.example.org", "node.example.org"},
		{"an IPv6 address through Tor", own, "tor", "[0::1]", "::1"},
		{"a name of I2P", own, "i2p", "Node-1.i2p", "Node-1.i2p"},
		{"a key of I2P", own, "i2p", b32, b32},
	} {
		t.Run(c.name, func(t *testing.T) {
			listen := "127.0.0.1"
			if strings.Contains(c.want, ":") {
				if listen = "[::1]"; len(loopbacks(t)) == 1 {
					t.Skip("this machine has no IPv6")
				}
			}
			l := mustListen(t, &transport.TCP{}, "tcp://"+listen+":0")
			port, _ := l.Addr().Port()
			p := startSocks(t, someone)
			dest := c.host + ":" + strconv.Itoa(int(port))
			tr := &transport.Socks5{Over: guarded(t, p.endpoint), Proxy: c.proxy(p), Isolate: addr.MustParse("socks5://" + p.endpoint)}
			a := p.to("socks5", userinfo, dest)
			if !tr.Proxy.IsZero() {
				a = addr.MustParse(c.scheme + "://" + dest)
			}
			conn, err := tr.Dial(t.Context(), a)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close() //nolint:errcheck // nothing was sent
			if conn.Peer() != a || conn.RemoteAddr().String() != p.endpoint {
				t.Errorf("the peer is %s at %s, want %s at the proxy %s", conn.Peer(), conn.RemoteAddr(), a, p.endpoint)
			}
			if got, want := p.Asked(), []sockstest.Request{{Host: c.want, User: user}}; !slices.Equal(got, want) {
				t.Errorf("the proxy was asked for %v, want %v", got, want)
			}
		})
	}
}

func TestSocks5LooksUpTheProxyAlone(t *testing.T) {
	l := mustListen(t, &transport.TCP{}, "tcp://127.0.0.1:0")
	p := startSocks(t, nil)
	tr := &transport.Socks5{Over: &transport.TCP{Resolver: transporttest.Resolver(t, "127.0.0.1")}}
	_, port, _ := net.SplitHostPort(p.endpoint)
	conn, err := tr.Dial(t.Context(), addr.MustParse("socks5://proxy.test:"+port+"/"+l.Addr().HostPort()))
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

func TestSocks5AsksAboutTheDestination(t *testing.T) {
	errOurs := errors.New("not this one")
	l := mustListen(t, &transport.TCP{}, "tcp://127.0.0.1:0")
	port, _ := l.Addr().Port()
	type checker interface {
		transport.Transport
		transport.Checker
	}
	for _, c := range []struct {
		name, host string
		refuse     bool
		asked      []string
	}{
		{"an IP address that is allowed", "127.0.0.1", false, []string{"127.0.0.1"}},
		{"one that is not", "127.0.0.1", true, []string{"127.0.0.1"}},
		{"one that is not, written oddly", "2130706433", true, []string{"127.0.0.1"}},
		{"IPv6", "[::1]", true, []string{"::1"}},
		{"a name", "localhost", false, nil},
	} {
		for _, scheme := range []string{"socks5", "socks5+tls", "tor"} {
			if scheme == "socks5+tls" && !c.refuse {
				continue // nobody shakes hands
			}
			t.Run(c.name+" of "+scheme, func(t *testing.T) {
				p := startSocks(t, nil)
				dest := c.host + ":" + strconv.Itoa(int(port))
				a := p.to(scheme, "", dest)
				var tr checker = &transport.Socks5{Over: guarded(t, p.endpoint)}
				switch scheme {
				case "socks5+tls":
					tr = &transport.TLS{Over: tr}
				case "tor":
					tr = &transport.Socks5{Over: guarded(t, p.endpoint), Proxy: addr.MustParse("socks5://" + p.endpoint)}
					a = addr.MustParse("tor://" + dest)
				}
				var asked []string
				conn, err := tr.DialChecked(t.Context(), a, func(ip netip.Addr) error {
					if asked = append(asked, ip.String()); c.refuse {
						return errOurs
					}
					return nil
				})
				if err == nil {
					_ = conn.Close() // nothing was sent
				}
				if c.refuse != errors.Is(err, errOurs) || c.refuse != (err != nil) {
					t.Errorf("got %v, refused: %v", err, c.refuse)
				}
				if !slices.Equal(asked, c.asked) {
					t.Errorf("asked about %v, want %v", asked, c.asked)
				}
				if n := len(p.Asked()); c.refuse && n > 0 {
					t.Errorf("%d requests to the proxy all the same", n)
				}
			})
		}
	}
}

func TestSocks5GivesEachDestinationAUser(t *testing.T) {
	l := mustListen(t, &transport.TCP{}, "tcp://127.0.0.1:0")
	port, _ := l.Addr().Port()
	tor := func(host string) string { return "tor://" + host + ":" + strconv.Itoa(int(port)) }
	var mu sync.Mutex
	var passwords []string
	p := startSocks(t, func(_, password string) bool {
		mu.Lock()
		defer mu.Unlock()
		passwords = append(passwords, password)
		return true
	})
	users := func(tr *transport.Socks5, addrs ...string) (names []string) {
		t.Helper()
		before := len(p.Asked())
		for _, a := range addrs {
			conn, err := tr.Dial(t.Context(), addr.MustParse(a))
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		}
		for _, r := range p.Asked()[before:] {
			names = append(names, r.User)
		}
		return names
	}
	isolating := func(userinfo string) *transport.Socks5 {
		return &transport.Socks5{
			Over:    guarded(t, p.endpoint),
			Proxy:   addr.MustParse("socks5://" + userinfo + p.endpoint),
			Isolate: addr.MustParse("socks5://" + p.endpoint),
		}
	}
	one := isolating("")
	got := users(one, tor(onion), tor("node.example.org"), tor(onion), tor("127.0.0.1"))
	if got[0] == got[1] || got[0] != got[2] || got[1] == got[3] || got[0] == got[3] {
		t.Errorf("users %q, want one for each destination", got)
	}
	if passwords[0] == passwords[1] || passwords[0] != passwords[2] || len(passwords[0]) < 16 {
		t.Errorf("passwords %q, want one for each destination", passwords)
	}
	for i, name := range got {
		if len(name) < 16 || strings.Contains(name, onion[:8]) {
			t.Errorf("user %d is %q", i, name)
		}
	}
	if other := users(isolating(""), tor(onion)); other[0] == got[0] {
		t.Error("two nodes have the same user for a destination")
	}
	if own := users(isolating(userinfo), tor(onion), tor("127.0.0.1")); own[0] != user || own[1] != user {
		t.Errorf("users %q, want the one of the proxy's address", own)
	}
	named := p.to("socks5", "", l.Addr().HostPort()).String()
	if direct := users(&transport.Socks5{Over: guarded(t, p.endpoint), Isolate: addr.MustParse("socks5://" + p.endpoint)}, named); direct[0] == "" {
		t.Error("no user, where the address names the proxy")
	}
}

func TestDefaultReachesOtherNetworksThroughProxies(t *testing.T) {
	l := mustListen(t, &transport.TCP{}, "tcp://127.0.0.1:0")
	tor, i2p := startSocks(t, func(string, string) bool { return true }), startSocks(t, nil)
	set := transport.DefaultVia(transport.Options{
		Tor: addr.MustParse("socks5://" + tor.endpoint),
		I2P: addr.MustParse("socks5://" + i2p.endpoint),
	})
	port, _ := l.Addr().Port()
	for _, a := range []string{
		"tor://" + onion, "i2p://node.i2p", "socks5://" + i2p.endpoint + "/127.0.0.1", "socks5://" + tor.endpoint + "/127.0.0.1",
	} {
		conn, err := set.Dial(t.Context(), addr.MustParse(a+":"+strconv.Itoa(int(port))))
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	if got := tor.Asked(); len(got) != 2 || got[0].Host != onion || got[0].User == "" || got[1].User == "" || got[0].User == got[1].User {
		t.Errorf("Tor was asked for %v, want an onion service and an IP address, each by a user of its own", got)
	}
	if got, want := i2p.Asked(), []sockstest.Request{{Host: "node.i2p"}, {Host: "127.0.0.1"}}; !slices.Equal(got, want) {
		t.Errorf("the other proxy was asked for %v, want %v", got, want)
	}
	for _, scheme := range []string{"socks5", "socks5+tls", "tor", "tor+tls", "i2p", "i2p+tls"} {
		if transport.CanListen(set[scheme]) {
			t.Errorf("%s can listen", scheme)
		}
	}
}
