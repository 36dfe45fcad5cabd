package transport

import "net/netip"

// QUICPort is what a socket reads from and writes to.
type QUICPort = quicPort

// OpenWith has sockets opened by something else than the system.
func (q *QUIC) OpenWith(open func(network string, at netip.AddrPort) (QUICPort, error)) {
	q.open = open
}
