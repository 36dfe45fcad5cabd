package hosts_test

import (
	"crypto/sha3"
	"encoding/base32"
	"strings"
	"testing"

	"dchat/p2p/addr"
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
