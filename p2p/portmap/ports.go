package portmap

import (
	"net/netip"
	"slices"

	"dchat/p2p/addr"
)

// inbound is an address that is listened on and may be behind a router, and what has
// become of it there.
type inbound struct {
	Port
	scheme string
	ip     netip.Addr // of this machine; unspecified for all that it has

	mapping Mapping // the last one; zero if there was none
	made    bool    // the gateway was told of it, and not told to remove it
	held    bool    // the gateway has it
}

// behindNAT returns what of the addresses that are listened on a router may pass
// connections on to: IPv4 addresses, or all addresses, of this machine. Loopback is
// not reached from outside, and what is public needs no router's help. Each port
// comes once.
func behindNAT(listening []addr.Addr) []*inbound {
	var ports []*inbound
	for _, a := range listening {
		in := &inbound{scheme: a.Scheme()}
		switch in.scheme {
		case addr.TCP, addr.TCPTLS:
			in.Protocol = TCP
		case addr.QUIC:
			in.Protocol = UDP
		default:
			continue
		}
		ip, isIP := a.IP()
		in.ip = ip.Unmap()
		in.Number, _ = a.Port()
		taken := slices.ContainsFunc(ports, func(other *inbound) bool { return other.Port == in.Port })
		all := in.ip.IsUnspecified() && (in.ip.Is4() || in.Protocol == UDP) // [::] is IPv6 alone over TCP
		if isIP && in.Number != 0 && !taken && (all || isLocal(in.ip)) {
			ports = append(ports, in)
		}
	}
	return ports
}

// reachedAt tells whether connections to an address of this machine get here.
func (in *inbound) reachedAt(local netip.Addr) bool {
	return in.ip.IsUnspecified() || in.ip == local
}

// wish is the external port to ask for: the one there was, or the same as inside.
func (in *inbound) wish() uint16 {
	if in.mapping.External != 0 {
		return in.mapping.External
	}
	return in.Number
}

// sharedSpace is what providers use between their customers and themselves.
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// isLocal tells whether an address is one of the IPv4 network around a machine, which
// others reach only through a router.
func isLocal(ip netip.Addr) bool {
	return ip.Is4() && (ip.IsPrivate() || ip.IsLinkLocalUnicast() || sharedSpace.Contains(ip))
}
