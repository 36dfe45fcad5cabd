package main_test

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"dchat/cmd/internal/proc"
	"dchat/p2p/transport/sockstest"
)

// way is how one daemon, Alice, reaches another, Bob.
type way struct {
	listen string   // where Bob listens; HOME is his home
	active []string // Alice's active profiles
	mixed  []string // and mixed ones
	peer   string   // what she knows him as, if all goes through a proxy; default: where he listens
}

// What is only known when Bob listens is written in peer as PROXY, host:port of a SOCKS5 proxy, BOB,
// host:port of his, and PORT. The proxy takes all names for 127.0.0.1, which nobody else does.
var ways = map[string]way{
	"tcp":                             {"tcp://127.0.0.1:0", []string{"tcp"}, nil, ""},
	"tcp, IPv6":                       {"tcp://[::1]:0", []string{"tcp"}, nil, ""},
	"tcp+tls":                         {"tcp+tls://127.0.0.1:0", []string{"tcp+tls"}, nil, ""},
	"quic":                            {"quic://127.0.0.1:0", []string{"quic"}, nil, ""},
	"quic, IPv6":                      {"quic://[::1]:0", []string{"quic"}, nil, ""},
	"unix":                            {"unix://HOME/bob.sock", []string{"unix"}, nil, ""},
	"socks5":                          {"tcp://127.0.0.1:0", []string{"socks5"}, nil, "socks5://" + userinfo + "PROXY/BOB"},
	"socks5+tls":                      {"tcp+tls://127.0.0.1:0", []string{"socks5+tls"}, nil, "socks5+tls://" + userinfo + "PROXY/bob.example:PORT"},
	"tcp through tor":                 {"tcp://127.0.0.1:0", []string{"tor"}, []string{"tcp"}, "tcp://bob.example:PORT/"},
	"tcp+tls through tor+tls":         {"tcp+tls://127.0.0.1:0", []string{"tor+tls"}, []string{"tcp+tls"}, "tcp+tls://bob.example:PORT/"},
	"tcp through socks5":              {"tcp://127.0.0.1:0", []string{"socks5"}, []string{"tcp"}, "tcp://bob.example:PORT/"},
	"tcp, though active, through tor": {"tcp://127.0.0.1:0", []string{"tcp", "tor"}, []string{"tcp"}, "tcp://BOB/"},
}

// The user of the proxy, as it stands in an address, and the password as it is.
const (
	userinfo = "alice:open%20sesame%2F@"
	password = "open sesame/"
	secret   = "sesame" // in both
)

// startProxy runs the proxy, which lets nobody pass without a name, as there is a made-up one for
// each destination of Tor's, nor Alice with another password.
func startProxy(t *testing.T) (p *sockstest.Proxy, endpoint string) {
	return sockstest.Start(t, func(user, pass string) bool { return user != "" && (user != "alice" || pass == password) })
}

// config is the configuration of a daemon with these profiles. A peer that vanishes is noticed after 5 s:
// pings that come more often than every 3 s are held back.
func config(active, mixed []string, torProxy string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[net]\nactive_profiles = %s\nmixed_profiles = %s\n", list(active), list(mixed))
	if torProxy != "" {
		fmt.Fprintf(&b, "tor_socks5_proxy = %q\n", torProxy)
	}
	schemes := slices.Concat(active, mixed)
	slices.Sort(schemes)
	for _, scheme := range slices.Compact(schemes) {
		fmt.Fprintf(&b, "[net.profiles.%q]\noutbound_connect_timeout = 2\nchannel_handshake_timeout = 5\nchannel_heartbeat_interval = 3\n", scheme)
	}
	return b.String()
}

func list(texts []string) string {
	quoted := []string{}
	for _, text := range texts {
		quoted = append(quoted, fmt.Sprintf("%q", text))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func (w way) ipv6() bool    { return strings.Contains(w.listen, "[::1]") }
func (w way) proxied() bool { return w.peer != "" }

// at is where Bob listens with that home.
func (w way) at(home string) string { return strings.Replace(w.listen, "HOME", home, 1) }

// pair is the two of them, and how to start them again.
type pair struct {
	alice, bob     *daemon
	asAlice, asBob setup
	called         string // what Alice calls Bob
	proxy          *sockstest.Proxy
	endpoint       string // of the proxy
}

// start starts both. Alice listens nowhere.
func (w way) start(t *testing.T) *pair {
	t.Helper()
	if w.ipv6() {
		needsIPv6(t)
	}
	p := &pair{}
	p.proxy, p.endpoint = startProxy(t)
	torProxy := ""
	if w.mixed != nil {
		torProxy = "socks5://" + p.endpoint
		if slices.Contains(w.active, "socks5") {
			torProxy = "socks5://" + userinfo + p.endpoint
		}
	}

	home := proc.NewHome(t)
	listens, _, _ := strings.Cut(w.listen, ":")
	p.asBob = setup{home: home, accept: w.at(home), toml: config([]string{listens}, nil, ""), args: []string{"-v"}}
	p.bob = p.asBob.start(t)
	at := p.bob.addr()
	p.asBob.accept = at.String()

	port, _ := at.Port()
	peer := strings.NewReplacer("PROXY", p.endpoint, "BOB", at.HostPort(), "PORT", fmt.Sprint(port)).Replace(cmp.Or(w.peer, at.String()))
	p.called = strings.Replace(peer, userinfo, "", 1)
	p.asAlice = setup{home: proc.NewHome(t), accept: "nowhere", toml: config(w.active, w.mixed, torProxy), args: []string{"-v", "--peers", peer}}
	p.alice = p.asAlice.launch(t)
	return p
}

// needsIPv6 skips the test on a machine without.
func needsIPv6(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no IPv6: ", err)
	}
	_ = l.Close()
}
