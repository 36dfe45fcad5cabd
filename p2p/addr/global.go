package addr

import (
	"net/netip"
	"strings"
)

// notGlobal4 is what of IPv4 is not reachable from all of the internet.
var notGlobal4 = [...]netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network
	netip.MustParsePrefix("10.0.0.0/8"),      // private use
	netip.MustParsePrefix("100.64.0.0/10"),   // behind carrier-grade NAT
	netip.MustParsePrefix("127.0.0.0/8"),     // loopback
	netip.MustParsePrefix("169.254.0.0/16"),  // link-local
	netip.MustParsePrefix("172.16.0.0/12"),   // private use
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.168.0.0/16"),  // private use
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarking
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("224.0.0.0/4"),     // multicast
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, and broadcast
}

// notGlobal6 is what of global6 is not reachable from all of the internet.
var notGlobal6 = [...]netip.Prefix{
	netip.MustParsePrefix("2001::/23"),     // protocol assignments, Teredo among them
	netip.MustParsePrefix("2001:db8::/32"), // documentation
	netip.MustParsePrefix("2002::/16"),     // 6to4
	netip.MustParsePrefix("3fff::/20"),     // documentation
}

// exceptions are the global ones within notGlobal4 and notGlobal6.
var exceptions = [...]netip.Prefix{
	netip.MustParsePrefix("192.0.0.9/32"),    // Port Control Protocol anycast
	netip.MustParsePrefix("192.0.0.10/32"),   // TURN anycast
	netip.MustParsePrefix("2001:1::1/128"),   // Port Control Protocol anycast
	netip.MustParsePrefix("2001:1::2/128"),   // TURN anycast
	netip.MustParsePrefix("2001:3::/32"),     // AMT
	netip.MustParsePrefix("2001:4:112::/48"), // AS112
	netip.MustParsePrefix("2001:20::/28"),    // ORCHIDv2
	netip.MustParsePrefix("2001:30::/28"),    // drone remote identification
}

var (
	// global6 is all of IPv6 that is handed out for global unicast.
	global6 = netip.MustParsePrefix("2000::/3")
	// nat64 holds an IPv4 address in its last four bytes.
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
)

// localNames are the names that mean this machine or the network around it, and so do all names below them.
var localNames = [...]string{
	"localhost", "localhost4", "localhost6", "localdomain", "localdomain4", "localdomain6",
	"ip6-localhost", "ip6-loopback", "local", "internal", "home.arpa",
}

// IsGlobal tells whether the host may be reached from all of the internet: an IP address, in
// any scheme and spelling, for which IsGlobalIP holds, or a name outside localhost, local, internal
// and the other domains that are local everywhere. What such a name resolves to must be judged by
// IsGlobalIP again. An address without a host is not global.
func (a Addr) IsGlobal() bool {
	host, ok := a.canonicalHost()
	if !ok {
		return false
	}
	if ip, ok := literalIP(host); ok {
		return IsGlobalIP(ip)
	}
	host = strings.TrimRight(host, ".")
	for _, local := range localNames {
		if above, ok := strings.CutSuffix(host, local); ok && (above == "" || strings.HasSuffix(above, ".")) {
			return false
		}
	}
	return host != ""
}

// IsGlobalIP tells whether ip is unicast and reachable from all of the internet, by the IANA
// registries of special-purpose addresses. Of IPv6 that is 2000::/3 without its special
// parts, and NAT64 (64:ff9b::/96) in front of a global IPv4 address. IPv4-mapped IPv6 is never global; unmap it first
// where it came from a socket that serves both families.
func IsGlobalIP(ip netip.Addr) bool {
	ip = ip.WithZone("")
	if nat64.Contains(ip) {
		b := ip.As16()
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	if ip.Is4() {
		return !within(notGlobal4[:], ip) || within(exceptions[:], ip)
	}
	return global6.Contains(ip) && (!within(notGlobal6[:], ip) || within(exceptions[:], ip))
}

func within(prefixes []netip.Prefix, ip netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
