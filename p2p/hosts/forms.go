package hosts

import (
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
		return addr.IsOnion(host)
	case addr.I2P, addr.I2PTLS:
		return addr.IsI2P(host)
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
