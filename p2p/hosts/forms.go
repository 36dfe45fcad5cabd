package hosts

import (
	"bytes"
	"crypto/sha3"
	"encoding/base32"
	"strings"

	"dchat/p2p/addr"
)

// maxName is the longest host, in bytes, that is kept.
const maxName = 255

// wellFormed tells whether a host can be one of its scheme. Schemes whose
// addresses cannot be judged have no such host.
func wellFormed(scheme, host string) bool {
	if len(host) > maxName || strings.Trim(host, ".") == "" {
		return false
	}
	switch scheme {
	case addr.TCP, addr.TCPTLS:
		return true
	case addr.QUIC: // its hosts are not normalised: leave one way to write a name
		return strings.HasPrefix(host, "[") || isName(host)
	case addr.Tor, addr.TorTLS:
		return isOnion(host)
	case addr.I2P, addr.I2PTLS:
		return isI2P(host)
	}
	return false
}

func isName(host string) bool {
	for _, c := range []byte(host) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return true
}

var base32Text = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// isI2P tells whether host is a name of I2P, or 32 bytes in base 32 under
// .b32.i2p.
func isI2P(host string) bool {
	name, ok := strings.CutSuffix(host, ".i2p")
	if !ok || !isName(name) || strings.Contains(name, "_") {
		return false
	}
	hash, ok := strings.CutSuffix(name, ".b32")
	if !ok {
		return true
	}
	key, err := base32Text.DecodeString(strings.ToLower(hash))
	return err == nil && len(key) == 32
}

// isOnion tells whether host is a version 3 onion name: a key of 32 bytes, a
// checksum of 2 and the version, in base 32.
func isOnion(host string) bool {
	label, ok := strings.CutSuffix(host, ".onion")
	if !ok {
		return false
	}
	b, err := base32Text.DecodeString(label)
	if err != nil || len(b) != 35 || b[34] != 3 {
		return false
	}
	digest := sha3.Sum256(append([]byte(".onion checksum"), append(b[:32:32], 3)...))
	return bytes.Equal(digest[:2], b[32:34])
}
