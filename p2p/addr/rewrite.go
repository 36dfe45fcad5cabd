package addr

import (
	"strconv"
	"strings"
)

// Public is the address without user, password, query and fragment: what may leave this node.
func (a Addr) Public() Addr {
	if a.hostStart == a.authorityStart() && int(a.pathEnd) == len(a.text) {
		return a
	}
	return reparse(a.text[:a.authorityStart()] + a.text[a.hostStart:a.pathEnd])
}

// Redacted is what may stand in a log or on a terminal: Public as at most 200 bytes of printable ASCII.
func (a Addr) Redacted() string {
	if !a.hasAuthority() && !strings.HasPrefix(a.Path(), "/") {
		return redact(a.text) // quic:user:password@host:1 has neither user nor password by the rules
	}
	public := a.Public()
	if i := strings.LastIndexByte(public.Path(), '@'); i >= 0 && strings.HasPrefix(a.Scheme(), Socks5) {
		return printable(public.text[:public.pathStart] + "/" + public.Path()[i+1:]) // the user of the proxy, misplaced
	}
	return printable(public.text)
}

// WithoutPort is the address without its port; false when it has no host.
func (a Addr) WithoutPort() (Addr, bool) { return a.withPort("") }

// WithPort is the address with that port instead of its own; false when it has no host or would
// become longer than MaxLen.
func (a Addr) WithPort(port uint16) (Addr, bool) {
	return a.withPort(":" + strconv.Itoa(int(port)))
}

func (a Addr) withPort(port string) (Addr, bool) {
	if a.Host() == "" {
		return Addr{}, false
	}
	rewritten := reparse(a.text[:a.hostEnd] + port + a.text[a.pathStart:])
	return rewritten, !rewritten.IsZero()
}

// WithPath is the address with that path, which begins with a slash, instead of its own; false when
// it has no host or would become longer than MaxLen.
func (a Addr) WithPath(path string) (Addr, bool) {
	if a.Host() == "" || !strings.HasPrefix(path, "/") {
		return Addr{}, false
	}
	rewritten := reparse(a.text[:a.pathStart] + path + a.text[a.pathEnd:])
	return rewritten, !rewritten.IsZero()
}

// WithScheme is the address with another scheme. It is false when the new scheme is not valid or
// has other rules for normal form: tcp, tor, nym and socks5 (with or without +tls) can be
// exchanged for one another, and so can quic, i2p, unix and the like.
func (a Addr) WithScheme(scheme string) (Addr, bool) {
	n := schemeLen(scheme + ":")
	if a.IsZero() || n == 0 || n != len(scheme) {
		return Addr{}, false
	}
	_, was := special(a.Scheme())
	_, is := special(strings.ToLower(scheme))
	if was != is {
		return Addr{}, false
	}
	rewritten := reparse(scheme + a.text[a.schemeEnd:])
	return rewritten, !rewritten.IsZero()
}

// authorityStart is where the user, or the host without one, begins.
func (a Addr) authorityStart() uint16 {
	if !a.hasAuthority() {
		return a.hostStart
	}
	return a.schemeEnd + uint16(len("://"))
}

// reparse takes text made of valid parts; the zero Addr if it became too long.
func reparse(text string) Addr {
	a, reason := parse(text)
	if reason != "" {
		return Addr{}
	}
	return a
}
