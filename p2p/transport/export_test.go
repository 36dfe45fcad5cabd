package transport

import (
	"net"
	"net/netip"
)

// OpenWith has sockets opened by something else than the system.
func (q *QUIC) OpenWith(open func(network string, at netip.AddrPort) (net.PacketConn, error)) {
	q.open = open
}
