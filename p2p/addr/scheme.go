package addr

// Schemes of addresses that nodes, proxies and RPC servers are known by. Any other valid
// scheme parses as well.
const (
	TCP       = "tcp"
	TCPTLS    = "tcp+tls"
	Tor       = "tor"
	TorTLS    = "tor+tls"
	Nym       = "nym"
	NymTLS    = "nym+tls"
	Socks5    = "socks5"
	Socks5TLS = "socks5+tls"
	QUIC      = "quic"
	I2P       = "i2p"
	I2PTLS    = "i2p+tls"
	Unix      = "unix"
	HTTPTCP   = "http+tcp"
)

// special tells whether addresses of the scheme (in lower case) have a host in normal form and
// a path that is never empty, and which port of theirs is left unwritten (0: none).
func special(scheme string) (defaultPort uint16, ok bool) {
	switch scheme {
	case TCP, TCPTLS, Tor, TorTLS, Nym, NymTLS, Socks5, Socks5TLS:
		return 0, true
	case "http", "ws":
		return 80, true
	case "https", "wss":
		return 443, true
	case "ftp":
		return 21, true
	}
	return 0, false
}

// schemeLen is the length of the scheme that text begins with, 0 when it has none: a letter,
// then letters, digits, '+', '-' and '.', up to a colon.
func schemeLen(text string) int {
	for i := range len(text) {
		switch c := lower(text[i]); {
		case 'a' <= c && c <= 'z':
		case i == 0:
			return 0
		case '0' <= c && c <= '9', c == '+', c == '-', c == '.':
		case c == ':':
			return i
		default:
			return 0
		}
	}
	return 0
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func appendLower(out []byte, s string) []byte {
	for i := range len(s) {
		out = append(out, lower(s[i]))
	}
	return out
}
