package transport_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// untouchable fails the test when anything is dialled.
type untouchable struct {
	transport.Transport
	t *testing.T
}

func (u untouchable) Dial(_ context.Context, a addr.Addr) (transport.Conn, error) {
	u.t.Errorf("dialled %s", a)
	return nil, errors.New("nothing is to be dialled")
}

func TestProxiedAddressesThatAreRefused(t *testing.T) {
	const (
		how      = "write it as socks5://proxy:port/destination:port"
		badOnion = "a version 3 onion name has 56 letters and digits before .onion, among them a checksum"
		badI2P   = "a host of I2P is a name in .i2p, or has 52 letters and digits before .b32.i2p"
	)
	malformed, noPort := transport.ErrDestination, transport.ErrNoPort
	for _, c := range []struct {
		addr string
		want string // after the fault
		is   error
	}{
		{"socks5://p:1", how, malformed},
		{"socks5://p:1/", how, malformed},
		{"socks5+tls://p:1/", how, malformed},
		{"socks5://p:1/host:2/", how, malformed},
		{"socks5://p:1/host:2/x", how, malformed},
		{"socks5://p:1/host:2?q", how, malformed},
		{"socks5://p:1/host:2%2F", how, malformed},
		{"socks5://p:1/someone@host:2", how, malformed},
		{"socks5://p:1/host:65536", how, malformed},
		{"socks5://p/host:2", how, noPort},
		{"socks5://p:1/host", "", noPort},
		{"socks5://p:1/[::1]", "", noPort},
		{"socks5://p:1/host:0", "nobody has port 0", malformed},
		{"socks5://p:1/[::ffff:1.2.3.4]:2", "", transport.ErrIPv4Mapped},
		{"socks5://p:1/" + strings.Repeat("a", 256) + ":2", "the name is longer than 255 bytes", malformed},
		{"socks5://p:1/" + onion[1:] + ":2", badOnion, malformed},
		{"socks5://p:1/node.b32.i2p:2", badI2P, malformed},

		{"tor://" + onion, "", noPort},
		{"tor://" + onion + ":0", "nobody has port 0", malformed},
		{"tor://3" + onion[1:] + ":1", badOnion, malformed},
		{"tor+tls://3" + onion[1:] + ":1", badOnion, malformed},
		{"tor://www." + onion + ":1", badOnion, malformed},
		{"tor://" + onion + ".:1", badOnion, malformed},
		{"tor://expyuzz4wqqyqhjn.onion:1", badOnion, malformed}, // version 2
		{"tor://.onion:1", badOnion, malformed},
		{"tor://[::ffff:1.2.3.4]:1", "", transport.ErrIPv4Mapped},
		{"tor://node.b32.i2p:1", "Tor does not find names in .i2p, and would show to others what was looked for: write i2p://", malformed},
		{"tor+tls://node.i2p:1", "Tor does not find names in .i2p, and would show to others what was looked for: write i2p://", malformed},

		{"i2p://node.i2p", "", noPort},
		{"i2p://node.i2p:0", "nobody has port 0", malformed},
		{"i2p://node.example.org:1", badI2P, malformed},
		{"i2p+tls://node.example.org:1", badI2P, malformed},
		{"i2p://NODE.I2P:1", badI2P, malformed},
		{"i2p://node.i2p.:1", badI2P, malformed},
		{"i2p://no%20de.i2p:1", badI2P, malformed},
		{"i2p://" + b32[1:] + ":1", badI2P, malformed},
		{"i2p://" + onion + ":1", badI2P, malformed},
		{"i2p://127.0.0.1:1", badI2P, malformed},
	} {
		a := addr.MustParse(c.addr)
		tr := &transport.Socks5{Over: untouchable{t: t}}
		if !strings.HasPrefix(a.Scheme(), "socks5") {
			tr.Proxy = addr.MustParse("socks5://127.0.0.1:1")
		}
		fault := c.is.Error()
		if c.want != "" {
			fault += ": " + c.want
		}
		_, err := tr.Dial(t.Context(), a)
		if want := "cannot dial " + a.Redacted() + ": " + fault; !errors.Is(err, c.is) || err.Error() != want {
			t.Errorf("Dial: %v, want %s", err, want)
		}
		if errors.Is(err, transport.ErrProxy) {
			t.Errorf("%v: blames the proxy", err)
		}
		if err := transport.CheckAddr(a); !errors.Is(err, c.is) || err.Error() != fault {
			t.Errorf("CheckAddr(%s): %v, want %s", a, err, fault)
		}
	}
}

func TestAddressesWithNothingWrong(t *testing.T) {
	for _, a := range []string{
		"socks5://p:1/host:2", "socks5+tls://u:p@p:1/[::1]:2", "socks5://p:1/" + onion + ":2",
		"tor://" + onion + ":1", "tor+tls://host:1", "tor://[::1]:1", "i2p://node.i2p:1", "i2p+tls://" + b32 + ":1",
		"tcp://host", "quic://h:0", "unix:///x",
	} {
		if err := transport.CheckAddr(addr.MustParse(a)); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
}

func TestProxiesMustBeWellFormed(t *testing.T) {
	const how = "write a proxy as socks5://[user:password@]host:port"
	long := strings.Repeat("a", 256)
	for a, want := range map[string]string{
		"socks5://127.0.0.1:9050":                        "",
		"socks5://[::1]:9050/":                           "",
		"socks5://some%20one:secret@localhost:9050":      "",
		"socks5://someone@localhost:9050":                "",
		"socks5://" + long[1:] + ":" + long[1:] + "@h:1": "",

		"socks5://localhost":          how,
		"socks5://localhost:0":        how,
		"socks5://localhost:9050/x:1": how,
		"socks5://localhost:9050?":    how,
		"socks5://localhost:9050#x":   how,
		"socks5+tls://localhost:9050": how,
		"tcp://localhost:9050":        how,
		"socks5://:secret@h:1":        "the proxy's address has a password and no user name",
		"socks5://" + long + "@h:1":   "the user name or the password of the proxy is longer than 255 bytes",
		"socks5://u:" + long + "@h:1": "the user name or the password of the proxy is longer than 255 bytes",
	} {
		proxy := addr.MustParse(a)
		err := transport.CheckProxy(proxy)
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", a, err)
			}
			continue
		}
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", a, err, want)
		}
		tr := &transport.Socks5{Over: untouchable{t: t}, Proxy: proxy}
		if _, err := tr.Dial(t.Context(), addr.MustParse("tor://host:1")); err == nil || err.Error() != "cannot dial tor://host:1/: "+want {
			t.Errorf("Dial by %s: %v, want %s", a, err, want)
		}
	}
	tr := &transport.Socks5{Over: untouchable{t: t}}
	if _, err := tr.Dial(t.Context(), addr.MustParse("socks5://:secret@h:1/host:1")); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("Dial with a password alone: %v", err)
	}
}
