package addr

import (
	"bytes"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

const (
	// opaqueSet may not stand in a host outside brackets, whatever the scheme.
	opaqueSet = "\x00 #/:<>?@[\\]^|"
	// domainSet may not stand in a domain name, nor may any control character.
	domainSet = opaqueSet + "%"
	// maxUnicodeHost bounds, in bytes, a host that needs conversion to ASCII, which takes time
	// quadratic in its length. The names that can be resolved are not longer.
	maxUnicodeHost = 255
)

// unicodeNames converts names to ASCII as browsers do, so without judging the length of labels or
// where hyphens stand. It is never changed.
var unicodeNames = idna.New(
	idna.MapForLookup(),
	idna.Transitional(false),
	idna.BidiRule(),
	idna.CheckHyphens(false),
	idna.CheckJoiners(true),
	idna.StrictDomainName(false),
	idna.VerifyDNSLength(false),
)

// appendHost appends a host in normal form.
func appendHost(out []byte, host string, special bool) (_ []byte, reason string) {
	switch {
	case strings.HasPrefix(host, "["):
		ip, err := netip.ParseAddr(strings.TrimSuffix(host[1:], "]"))
		switch {
		case err != nil, !ip.Is6(), !strings.HasSuffix(host, "]"):
			return out, reasonIPv6
		case ip.Zone() != "":
			return out, reasonZone
		}
		return appendIP(out, ip), ""
	case special:
		return appendDomain(out, host)
	case strings.ContainsAny(host, opaqueSet):
		return out, reasonOpaqueChars
	}
	return appendEncoded(out, host, ""), ""
}

// appendDomain appends a name in lower case and ASCII, or the IPv4 address that it spells.
func appendDomain(out []byte, host string) (_ []byte, reason string) {
	start := len(out)
	if strings.IndexByte(host, '%') >= 0 {
		host = decoded(host)
	}
	out = appendLower(out, host)
	if name := out[start:]; !isASCII(name) || bytes.Contains(name, []byte("xn--")) {
		if len(host) > maxUnicodeHost || !utf8.ValidString(host) {
			return out, reasonDomain
		}
		ascii, err := unicodeNames.ToASCII(host)
		if err != nil {
			return out, reasonDomain
		}
		out = append(out[:start], ascii...)
	}
	name := out[start:]
	if len(name) == 0 || forbiddenInDomain(name) {
		return out, reasonDomain
	}
	if !endsInNumber(name) {
		return out, ""
	}
	ip, ok := parseIPv4(name)
	if !ok {
		return out, reasonIPv4
	}
	return ip.AppendTo(out[:start]), ""
}

// appendIP appends an IP address as it stands in a host, IPv6 in brackets and without its zone.
func appendIP(out []byte, ip netip.Addr) []byte {
	if ip.Is4() {
		return ip.AppendTo(out)
	}
	out = append(out, '[')
	if ip.Is4In6() {
		// URLs write all of an IPv6 address in hex.
		b := ip.As16()
		out = append(out, "::ffff:"...)
		out = strconv.AppendUint(out, uint64(b[12])<<8|uint64(b[13]), 16)
		out = append(out, ':')
		out = strconv.AppendUint(out, uint64(b[14])<<8|uint64(b[15]), 16)
	} else {
		out = ip.WithZone("").AppendTo(out)
	}
	return append(out, ']')
}

func isASCII(s []byte) bool {
	for _, c := range s {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func forbiddenInDomain(name []byte) bool {
	for _, c := range name {
		if c <= ' ' || c > '~' {
			return true
		}
	}
	return bytes.ContainsAny(name, domainSet)
}

// endsInNumber tells whether the last label, an empty one after a final dot aside, is a number,
// which makes the whole an IPv4 address or an error.
func endsInNumber(name []byte) bool {
	name = bytes.TrimSuffix(name, []byte("."))
	last := name[bytes.LastIndexByte(name, '.')+1:]
	if len(last) > 0 && len(bytes.TrimLeft(last, "0123456789")) == 0 {
		return true // 08 as well, which is no octal number
	}
	_, ok := parseIPv4Number(last)
	return ok
}

// parseIPv4 reads one to four numbers with dots between them and perhaps one after; the last
// number fills all bytes that are left.
func parseIPv4(name []byte) (netip.Addr, bool) {
	var ip [4]byte
	rest, more := bytes.TrimSuffix(name, []byte(".")), true
	for i := 0; more; i++ {
		var part []byte
		part, rest, more = bytes.Cut(rest, []byte("."))
		n, ok := parseIPv4Number(part)
		if !ok || i == len(ip) || more && n > 255 {
			return netip.Addr{}, false
		}
		if more {
			ip[i] = byte(n)
			continue
		}
		for j := len(ip) - 1; j >= i; j-- {
			ip[j] = byte(n)
			n >>= 8
		}
		if n != 0 {
			return netip.Addr{}, false
		}
	}
	return netip.AddrFrom4(ip), true
}

// parseIPv4Number reads a number in decimal, octal after a 0 or hex after a 0x, where a bare 0x
// is 0. Numbers above 2^32-1 are all read as 2^32.
func parseIPv4Number(s []byte) (n uint64, ok bool) {
	base := 10
	switch {
	case len(s) == 0:
		return 0, false
	case bytes.HasPrefix(s, []byte("0x")):
		s, base = s[len("0x"):], 16
	case s[0] == '0':
		base = 8
	}
	for _, c := range s {
		digit := hexDigit(c)
		if digit < 0 || digit >= base {
			return 0, false
		}
		n = min(n*uint64(base)+uint64(digit), math.MaxUint32+1)
	}
	return n, true
}

// canonicalHost is the host as it would be normalised in a special scheme: what the host is, however
// its own scheme lets it be written. It is false when there is no host, or none that could be a name
// or an IP address.
func (a Addr) canonicalHost() (string, bool) {
	host := a.Host()
	if _, ok := special(a.Scheme()); ok || strings.HasPrefix(host, "[") {
		return host, host != ""
	}
	var buf [64]byte
	out, reason := appendDomain(buf[:0], host)
	return string(out), reason == ""
}

// HostNetwork is the part of the internet that counts as one host where hosts get shares, or are
// banned: an IPv4 address, also as IPv4-mapped IPv6, or the /64 of an IPv6 address, since whoever
// has one address of a /64 has all. It is not valid when ip is not.
func HostNetwork(ip netip.Addr) netip.Prefix {
	bits := 64
	if ip = ip.Unmap(); ip.Is4() {
		bits = 32
	}
	host, _ := ip.Prefix(bits) // every address has as many
	return host
}

// literalIP reads a canonical host.
func literalIP(host string) (netip.Addr, bool) {
	if last := len(host) - 1; last < 0 || host[last] != ']' && (host[last] < '0' || host[last] > '9') {
		return netip.Addr{}, false
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return ip, err == nil
}
