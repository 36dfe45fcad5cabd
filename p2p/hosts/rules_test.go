package hosts_test

import (
	"crypto/sha3"
	"encoding/base32"
	"strings"
	"testing"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
)

var base32Text = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// onionOf is the onion name of a key, a checksum over a version, and a version.
func onionOf(key []byte, summed, version byte) string {
	sum := sha3.Sum256(append(append([]byte(".onion checksum"), key...), summed))
	return base32Text.EncodeToString(append(append(append([]byte{}, key...), sum[:2]...), version)) + ".onion"
}

func TestHostsMustBeValidForTheirScheme(t *testing.T) {
	key := []byte(strings.Repeat("k", 32))
	good := onionOf(key, 3, 3)
	for _, row := range []struct {
		scheme, host string
		valid        bool
	}{
		{"tor", good, true},
		{"tor+tls", good, true},
		{"tor", onion, true},
		{"tor", onionOf(key, 3, 4), false},
		{"tor", onionOf(key, 4, 4), false},
		{"tor", onionOf(key[:31], 3, 3), false},
		{"tor", onionOf(append(key, 0), 3, 3), false},
		{"tor", "a" + good, false},
		{"tor", good[:55] + "dpu.onion", false}, // a byte more
		{"tor", "b" + good[1:], false},
		{"tor", "www." + good, false},
		{"tor", "expyuzz4wqqyqhjn.onion", false}, // version 2
		{"tor", "example.com", false},
		{"tor", "8.8.8.8", false},
		{"tcp", strings.Repeat("a.", 126) + "com", true},
		{"tcp", strings.Repeat("a.", 126) + "coom", false},
		{"quic", "a_b.example.com", true},
		{"quic", "a%20b.example.com", false},
		{"quic", "a!b.example.com", false},
		{"nym", "example.com", false},
		{"tls", "example.com", false},
		{"foo", "example.com", false},
	} {
		h := book(t, nil)
		a := addr.MustParse(row.scheme + "://" + row.host + ":1")
		tell(h, stranger(1), a)
		if got := colour(h, a) != "refused"; got != row.valid {
			t.Errorf("%s is %s", a, colour(h, a))
		}
	}
}

func TestConfigureReplacesWhatTheOperatorSays(t *testing.T) {
	h := book(t, func(s *hosts.Settings) {
		s.Peers, s.Seeds = addrs([]string{apart(1).String()}), addrs([]string{apart(2).String()})
		s.Blacklist = blacklist(t, []blacklistRow{{Host: "11.4.2.2", Schemes: []string{"tcp"}}})
	})
	tell(h, stranger(1), apart(1), apart(2), apart(3), apart(4))
	h.Answered(apart(5))
	gold(t, h, apart(6))
	must(t, h.Claim(apart(4), hosts.Connecting))
	ban(t, h, apart(7))
	h.Offend(inbound("tcp://11.9.2.2:40000"))
	ban(t, h, apart(9))

	h.Configure(
		addrs([]string{apart(4).String(), apart(7).String()}),
		addrs([]string{apart(5).String(), apart(8).String()}),
		blacklist(t, []blacklistRow{{Host: "11.7.2.2", Schemes: []string{"tcp"}}}))
	for i, want := range map[int]string{3: "refused", 4: "refused", 5: "refused", 6: "refused", 7: "refused", 8: "refused", 9: "black"} {
		if got := colour(h, apart(i)); got != want {
			t.Errorf("%s is %s, want %s", apart(i), got, want)
		}
	}
	if got := h.StateOf(apart(4)); got != hosts.Connecting {
		t.Errorf("what is in use is %v", got)
	}
	if !h.Refused(apart(6)) || !h.Blacklisted(apart(6)) || h.Refused(apart(3)) || len(h.Bans()) != 1 {
		t.Errorf("banned are %v", h.Bans())
	}
	tell(h, stranger(2), apart(1), apart(2), apart(3), apart(4), apart(5), apart(6))
	for i, want := range map[int]string{1: "grey", 2: "grey", 3: "grey", 4: "refused", 5: "refused", 6: "refused"} {
		if got := colour(h, apart(i)); got != want {
			t.Errorf("told again, %s is %s, want %s", apart(i), got, want)
		}
	}
}

var unreachable = []string{
	"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.1", "0x7f.1", "2130706433",
	"0177.0.0.1", "%31%32%37.0.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.0.1", "0xc0.0xa8.1",
	"198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
	"[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[::2]", "[::ffff:8.8.8.8]", "[::ffff:10.0.0.1]", "[::FFFF:A00:1]", "[::127.0.0.1]",
	"[64:ff9b::10.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::1]", "[100::1]", "[2001::1]", "[2001:db8::1]", "[2001:DB8::1]", "[2002::1]",
	"[3fff::1]", "[5f00::1]", "[fc00::1]", "[fd00::1]", "[FD00::1]", "[fe80::1]", "[fec0::1]", "[ff02::1]", "[ff0e::1]",
	"localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost.localdomain", "printer.local", "db.internal", "router.home.arpa",
}

func TestA4WhatCannotBeReachedFromEverywhereIsDropped(t *testing.T) {
	for _, host := range unreachable {
		for _, scheme := range []string{"tcp", "tcp+tls", "quic"} {
			h := book(t, func(s *hosts.Settings) { s.Dialable = []string{"tcp", "quic"} })
			a := ad("%s", scheme+"://"+host+":26")
			tell(h, ad("tcp://127.0.0.1:1"), a)
			if got := colour(h, a); got != "refused" {
				t.Errorf("%s is %s", a, got)
			}
		}
	}
}

// Addresses of private networks mean something only to who is there too, and
// only in a local network.
func TestA5WhoTellsLocalAddressesMustBeAsNear(t *testing.T) {
	const public, lan, loopback = "tcp://8.8.8.8:1", "tcp://10.1.1.1:1", "tcp://127.0.0.1:1"
	for _, row := range []struct {
		from, told string
		local      string // in a local network
	}{
		{"tcp://5.5.5.5:1", public, "grey"},
		{"tcp://5.5.5.5:1", lan, "refused"},
		{"tcp://5.5.5.5:1", loopback, "refused"},
		{"tcp://192.168.3.4:1", public, "grey"},
		{"tcp://192.168.3.4:1", lan, "grey"},
		{"tcp://192.168.3.4:1", loopback, "refused"},
		{"tcp://[::1]:1", public, "grey"},
		{"tcp://[::1]:1", lan, "grey"},
		{"tcp://[::1]:1", loopback, "grey"},
		{"tcp://node1:1", public, "grey"},
		{"tcp://node1:1", lan, "grey"},
		{"tcp://node1:1", loopback, "refused"},
		{"tcp://192.168.3.4:1", "tcp://localhost:1", "refused"},
		{"tcp://192.168.3.4:1", "tcp://a.localhost.:1", "refused"},
		{"quic://192.168.3.4:1", "quic://LOCALHOST.localdomain:1", "refused"},
		{"tcp://192.168.3.4:1", "tcp://printer.local:1", "grey"},
		{"tcp://localhost:1", loopback, "grey"},
		{"tcp://a.localhost:1", loopback, "grey"},
		{"unix:///run/node.sock", loopback, "grey"},
	} {
		for _, network := range []bool{true, false} {
			want := row.local
			if !network && row.told != public {
				want = "refused"
			}
			h := book(t, func(s *hosts.Settings) { s.Localnet = network })
			tell(h, addr.MustParse(row.from), addr.MustParse(row.told))
			if got := colour(h, addr.MustParse(row.told)); got != want {
				t.Errorf("localnet %v, %s tells %s: %s, want %s", network, row.from, row.told, got, want)
			}
		}
	}
}

func TestA6OnlyOurOwnEndpointIsOurs(t *testing.T) {
	h := book(t, func(s *hosts.Settings) {
		s.External = []addr.Addr{ad("tcp+tls://9.9.9.9:26"), ad("tcp://own.example.com:26")}
	})
	for text, want := range map[string]string{
		"tcp+tls://9.9.9.9:26":       "refused",
		"tcp://9.9.9.9:26":           "refused", // the same socket
		"quic://9.9.9.9:26":          "refused",
		"tcp://OWN.example.com.:26":  "refused",
		"tcp+tls://9.9.9.9:27":       "grey", // a neighbour behind the same NAT
		"tcp://own.example.com:27":   "grey",
		"tcp+tls://9.9.9.10:26":      "grey",
		"tcp://other.example.com:26": "grey",
		"tcp://x.own.example.com:26": "grey",
	} {
		tell(h, stranger(1), addr.MustParse(text))
		if got := colour(h, addr.MustParse(text)); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}

func TestB5BlacklistKnowsEveryForm(t *testing.T) {
	h := book(t, func(s *hosts.Settings) {
		s.Blacklist = blacklist(t, []blacklistRow{
			{Host: "1.2.3.4", Schemes: []string{"tcp", "quic"}},
			{Host: "[2A00::1]", Schemes: []string{"tcp"}},
			{Host: "Bad.example.com.", Schemes: []string{"tcp", "quic"}, Ports: []uint16{7}},
		})
	})
	for text, want := range map[string]bool{
		"tcp://1.2.3.4:1": true, "tcp://1.2.3.4:65535": true, "tcp://0x1020304:1": true, "tcp://[::ffff:1.2.3.4]:1": true,
		"quic://1.2.3.4.:1": true, "quic://[::FFFF:102:304]:1": true, "tcp://u:p@1.2.3.4:1/x?y#z": true,
		"tcp://[2a00:0::0:1]:5": true, "tcp://bad.example.com:7": true, "quic://BAD.example.com:7/": true,
		"tcp+tls://1.2.3.4:1": false, "tcp://1.2.3.5:1": false, "tcp://bad.example.com:8": false, "tcp://x.bad.example.com:7": false,
	} {
		if got := h.Blacklisted(addr.MustParse(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}
