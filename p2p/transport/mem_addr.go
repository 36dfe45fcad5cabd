package transport

import (
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"dchat/p2p/addr"
)

// memAddr is an endpoint of a Mem network. It is a net.Addr.
type memAddr struct {
	ip   netip.Addr // not valid when the host is a name
	name string
	port uint16
}

// Network implements net.Addr.
func (memAddr) Network() string { return "mem" }

// String implements net.Addr, with the host and port.
func (a memAddr) String() string {
	if a.ip.IsValid() {
		return netip.AddrPortFrom(a.ip, a.port).String()
	}
	return net.JoinHostPort(a.name, strconv.Itoa(int(a.port)))
}

// memEndpoint is what an address stands for on a host with that IP address of
// its own, which is not valid for the loopback host.
func memEndpoint(a addr.Addr, own netip.Addr) (memAddr, error) {
	port, ok := a.Port()
	if !ok {
		return memAddr{}, ErrNoPort
	}
	ip, ok := a.IP()
	if !ok {
		return memAddr{name: a.Hostname(), port: port}, nil
	}
	if ip.IsUnspecified() {
		switch {
		case !own.IsValid():
			ip = loopback(ip.Is6())
		case ip.Is4() == own.Is4():
			ip = own
		default:
			return memAddr{}, syscall.EADDRNOTAVAIL
		}
	}
	return memAddr{ip: ip, port: port}, nil
}

func loopback(ipv6 bool) netip.Addr {
	if ipv6 {
		return netip.IPv6Loopback()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}
