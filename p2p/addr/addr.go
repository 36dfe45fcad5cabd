package addr

import (
	"net/netip"
	"strconv"
	"strings"
)

// Addr is an address in normal form. It is comparable: == and use as a map key compare the
// normalised text. The zero value is no address. An Addr is immutable and safe for concurrent use.
//
// Its text is printable ASCII, at most MaxLen bytes, and parses to the same Addr again.
type Addr struct {
	text string

	// Where the parts begin and end in text. They follow from text, so that comparing them
	// changes nothing; keeping them makes reading a part free.
	schemeEnd uint16 // at the ':'
	hostStart uint16
	hostEnd   uint16
	pathStart uint16
	pathEnd   uint16 // where the query or the fragment begins
	port      uint16
}

// FromIP is the address of a peer that is known by its socket: scheme://ip:port/, and without
// the slash where the scheme allows an empty path (quic). An IPv4-mapped IPv6 address stays one; an
// IPv6 zone is dropped, since an address cannot carry it. It is the zero Addr when ap is not valid or
// scheme is no scheme.
func FromIP(scheme string, ap netip.AddrPort) Addr {
	if !ap.IsValid() || schemeLen(scheme+":") != len(scheme) {
		return Addr{}
	}
	var buf [128]byte
	out := append(buf[:0], scheme...)
	out = append(out, "://"...)
	out = appendIP(out, ap.Addr())
	out = append(out, ':')
	out = strconv.AppendUint(out, uint64(ap.Port()), 10)
	return reparse(string(out))
}

// String is the normalised text, as it is written on the wire, secrets included; logs want
// Redacted. It is empty for the zero Addr.
func (a Addr) String() string { return a.text }

// IsZero tells whether a is no address.
func (a Addr) IsZero() bool { return a.text == "" }

// Scheme is the part before the first colon, in lower case.
func (a Addr) Scheme() string { return a.text[:a.schemeEnd] }

// Host is the host as it stands in the text, IPv6 in brackets; empty when there is none.
func (a Addr) Host() string { return a.text[a.hostStart:a.hostEnd] }

// Hostname is Host without the brackets.
func (a Addr) Hostname() string {
	return strings.TrimSuffix(strings.TrimPrefix(a.Host(), "["), "]")
}

// Port is the port; false when the address has none. Port 0 is a port.
func (a Addr) Port() (uint16, bool) {
	return a.port, int(a.hostEnd) < len(a.text) && a.text[a.hostEnd] == ':' && a.hasAuthority()
}

// HostPort is what net.Dial and net.Listen take. An IP address written in an odd way is given in
// its usual form, so that the resolver has nothing to interpret. Without a port it is the host
// alone, which both refuse; without a host it is empty, which net.Listen does not refuse, so
// that a listener checks Port first.
func (a Addr) HostPort() string {
	port, ok := a.Port()
	if !ok {
		return a.Host()
	}
	if ip, ok := a.IP(); ok {
		return netip.AddrPortFrom(ip, port).String()
	}
	return a.Host() + ":" + strconv.Itoa(int(port))
}

// IP is the host as an IP address; false when it is a name or there is none. It is read as what
// it is in every scheme and spelling: quic://0x7f.1:1 is 127.0.0.1. IPv4-mapped IPv6 stays as it is.
func (a Addr) IP() (netip.Addr, bool) {
	host, ok := a.canonicalHost()
	if !ok {
		return netip.Addr{}, false
	}
	return literalIP(host)
}

// Path is the path in its percent-encoded form; it begins with a slash or is empty. Where the
// scheme is followed by neither slash nor host (quic:host:1) it is all that follows.
func (a Addr) Path() string { return a.text[a.pathStart:a.pathEnd] }

// FilePath is the absolute path of the socket that a unix address names, percent-encoding
// undone; false for other schemes, a host other than localhost, a relative path, or a zero byte in it.
func (a Addr) FilePath() (string, bool) {
	if a.Scheme() != Unix || !strings.HasPrefix(a.Path(), "/") {
		return "", false
	}
	if host := a.Host(); host != "" && host != "localhost" {
		return "", false
	}
	path := decoded(a.Path())
	if strings.IndexByte(path, 0) >= 0 {
		return "", false
	}
	return path, true
}

// Userinfo is the user name and the password, percent-encoding undone; each is empty when there
// is none.
func (a Addr) Userinfo() (user, password string) {
	userinfo := strings.TrimSuffix(a.text[a.authorityStart():a.hostStart], "@")
	user, password, _ = strings.Cut(userinfo, ":")
	return decoded(user), decoded(password)
}

// Destination is what an address asks the proxy that it names for: tcp://host:port/ where a is
// socks5://proxy:port/host:port, percent-encoding undone. Without the port it has none either. It
// is false when anything but one host with its port follows the slash.
func (a Addr) Destination() (Addr, bool) {
	segment, ok := strings.CutPrefix(a.Path(), "/")
	if !ok || int(a.pathEnd) < len(a.text) {
		return Addr{}, false
	}
	host := decoded(segment)
	// All of these would have Parse find more in it than a host and a port, or less.
	if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || strings.ContainsRune(`/\?#@%`, r) }) {
		return Addr{}, false
	}
	destination := reparse(TCP + "://" + host)
	return destination, !destination.IsZero()
}

// MarshalText is String. It never fails.
func (a Addr) MarshalText() ([]byte, error) { return []byte(a.text), nil }

// UnmarshalText is Parse. On an error, a *ParseError, a stays as it was.
func (a *Addr) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}

// hasAuthority tells whether two slashes follow the scheme. A path that begins with two slashes
// is written with "/." before it where there is no authority, so the text alone says.
func (a Addr) hasAuthority() bool {
	return strings.HasPrefix(a.text[a.schemeEnd:], "://")
}
