package transport

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"

	"github.com/quic-go/quic-go"
)

// quicSocket is a UDP socket, and what all connections over it share. It is closed when
// the last of those that use it releases it: its listener, each dial under way and each
// connection.
type quicSocket struct {
	quic      *QUIC
	conn      net.PacketConn
	transport *quic.Transport
	tls       *tls.Config
	load      *quicLoad
	local     netip.AddrPort
	network   string // udp is both families, udp4 and udp6 are one

	// under quic.mu
	users     int
	dials     bool // it was opened to dial
	listening bool
}

// socketTo returns a socket to dial from, which the caller has to release. source is the
// address from which the system would send.
func (q *QUIC) socketTo(to, source netip.Addr) (*quicSocket, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var best *quicSocket
	for _, s := range q.sockets {
		if fit := s.fits(to, source); fit > 0 && (best == nil || fit > best.fits(to, source)) {
			best = s
		}
	}
	if best == nil {
		network, at := "udp4", netip.IPv4Unspecified()
		if !to.Is4() {
			network, at = "udp6", netip.IPv6Unspecified()
		}
		var err error
		if best, err = q.newSocket(network, netip.AddrPortFrom(at, 0)); err != nil {
			return nil, err
		}
		best.dials = true
	}
	best.users++
	return best, nil
}

// fits tells how well a socket is suited to dial an address: not at all, as the one of
// another family that it takes as well, as one that is for the family, or as one whose
// address the system would choose itself.
func (s *quicSocket) fits(to, source netip.Addr) int {
	local := s.local.Addr()
	switch {
	case !s.dials && !s.listening:
		return 0 // only its last connections keep it
	case local == source:
		return 3
	case local.IsUnspecified() && local.Is4() == to.Is4():
		return 2
	case s.network == "udp":
		return 1
	}
	return 0
}

// socketAt returns a socket with a listener, which is one of its users. One that has
// lost its listener, and has connections still, gets another.
func (q *QUIC) socketAt(at netip.AddrPort) (*quicSocket, *quic.Listener, error) {
	network := ipUDP(at.Addr())
	q.mu.Lock()
	defer q.mu.Unlock()
	var s *quicSocket
	if i := slices.IndexFunc(q.sockets, func(s *quicSocket) bool { return s.local == at && s.network == network }); i >= 0 {
		s = q.sockets[i]
		if s.listening {
			return nil, nil, os.NewSyscallError("bind", syscall.EADDRINUSE)
		}
	} else {
		var err error
		if s, err = q.newSocket(network, at); err != nil {
			return nil, nil, err
		}
	}
	s.users++
	l, err := s.transport.Listen(s.tls, s.load.config())
	if err != nil {
		s.leave()
		return nil, nil, err
	}
	s.listening = true
	return s, l, nil
}

// newSocket opens a socket that nobody uses yet, under q.mu.
func (q *QUIC) newSocket(network string, at netip.AddrPort) (*quicSocket, error) {
	config, err := tlsConfig()
	if err != nil {
		return nil, err
	}
	open := q.open
	if open == nil {
		open = openUDP
	}
	conn, err := open(network, at)
	if err != nil {
		return nil, err
	}
	bound := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	s := &quicSocket{
		quic:    q,
		conn:    conn,
		tls:     config,
		load:    newQUICLoad(),
		local:   netip.AddrPortFrom(bound.Addr().Unmap(), bound.Port()),
		network: network,
	}
	strays := &quicStrays{ids: newQUICIDs(), key: q.resetKey(s.local)}
	s.transport = &quic.Transport{
		Conn:                  strays.watch(conn),
		ConnectionIDGenerator: strays.ids,
		StatelessResetKey:     strays.key,
		VerifySourceAddress:   func(net.Addr) bool { return s.load.many() },
		ConnContext:           s.load.begin,
	}
	q.sockets = append(q.sockets, s)
	return s, nil
}

// ipUDP is the network on which an address is listened on, in the words of package net.
func ipUDP(ip netip.Addr) string {
	switch {
	case ip.Is4():
		return "udp4"
	case ip.IsUnspecified():
		return "udp"
	}
	return "udp6"
}

func openUDP(network string, at netip.AddrPort) (quicPort, error) {
	conn, err := (&net.ListenConfig{}).ListenPacket(context.Background(), network, at.String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

// use adds a user, unless the last has left.
func (s *quicSocket) use() bool {
	s.quic.mu.Lock()
	defer s.quic.mu.Unlock()
	if s.users == 0 {
		return false
	}
	s.users++
	return true
}

func (s *quicSocket) release() {
	s.quic.mu.Lock()
	defer s.quic.mu.Unlock()
	s.leave()
}

// leave is release under quic.mu. It stays locked until the socket is closed, for only
// then its port can be had again.
func (s *quicSocket) leave() {
	if s.users--; s.users > 0 {
		return
	}
	s.quic.sockets = slices.DeleteFunc(s.quic.sockets, func(other *quicSocket) bool { return other == s })
	_ = s.transport.Close() // nothing is sent over it any more
	_ = s.conn.Close()
}

// unlisten releases the socket for its listener, which is closed.
func (s *quicSocket) unlisten() {
	s.quic.mu.Lock()
	defer s.quic.mu.Unlock()
	s.listening = false
	s.load.setScreen(nil)
	s.leave()
}
