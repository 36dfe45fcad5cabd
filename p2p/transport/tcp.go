package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"dchat/p2p/addr"
)

const (
	// keepAlive is how long a TCP connection is idle before the system asks the
	// peer for a sign of life, keepAliveInterval how long it waits between the
	// keepAliveCount questions that end the connection when none is answered.
	keepAlive         = 20 * time.Second
	keepAliveInterval = 5 * time.Second
	keepAliveCount    = 3

	// userTimeout is how long what was sent may stay unacknowledged, or the
	// peer's window shut, before the system ends the connection.
	userTimeout = 20 * time.Second
)

// TCP connects over TCP, for every scheme whose host and port are a TCP
// endpoint. The zero value is ready for use; the fields are not to be changed
// once it is in use.
//
// An IPv6 address takes IPv6 only, so that 0.0.0.0 and [::] can be listened on
// side by side. No port is shared with another process: listening on one that is
// taken is syscall.EADDRINUSE.
//
// A name is dialled at its addresses, of both families, until one answers, but at
// no more than 8 of them; listened on, it stands for the first of them. Names are
// looked up 4 at a time, for at most 5 s each, and none more often than every 5 s: the
// answer, or that there was none, holds so long.
//
// A dial that fails with syscall.ENETUNREACH found no route on this machine; one that
// fails with syscall.EHOSTUNREACH was told by others that there is none.
type TCP struct {
	// Resolver looks up names; nil is the system's.
	Resolver *net.Resolver

	names names
}

// Dial implements Transport.
func (t *TCP) Dial(ctx context.Context, a addr.Addr) (Conn, error) {
	return t.DialChecked(ctx, a, nil)
}

// DialChecked implements Checker.
func (t *TCP) DialChecked(ctx context.Context, a addr.Addr, check func(netip.Addr) error) (Conn, error) {
	conn, err := t.dial(ctx, a, check)
	if err != nil {
		return nil, &Error{opDial, a, err}
	}
	return &tcpConn{conn, a}, nil
}

func (t *TCP) dial(ctx context.Context, a addr.Addr, check func(netip.Addr) error) (*net.TCPConn, error) {
	network, err := tcpNetwork(a)
	if err != nil {
		return nil, err
	}
	conn, err := dialEach(ctx, &t.names, t.Resolver, a, check, dialTCP)
	if err != nil {
		return nil, tcpCause(err, network)
	}
	return conn, nil
}

// dialTCP connects to an IP address.
func dialTCP(ctx context.Context, ap netip.AddrPort) (*net.TCPConn, error) {
	dialer := net.Dialer{
		KeepAliveConfig: keepAliveConfig(),
		Control:         func(_, _ string, socket syscall.RawConn) error { return setUserTimeout(socket, userTimeout) },
	}
	conn, err := dialer.DialContext(ctx, ipNetwork(ap.Addr()), ap.String())
	if err != nil {
		return nil, unreachable(ctx, err, ap)
	}
	return conn.(*net.TCPConn), nil
}

// Listen implements Transport.
func (t *TCP) Listen(ctx context.Context, a addr.Addr) (Listener, error) {
	l, err := t.listen(ctx, a)
	if err != nil {
		return nil, &Error{opListen, a, err}
	}
	return l, nil
}

func (t *TCP) listen(ctx context.Context, a addr.Addr) (*tcpListener, error) {
	network, err := tcpNetwork(a)
	if err != nil {
		return nil, err
	}
	endpoint := a.HostPort()
	if network == "tcp" {
		first, err := t.names.first(ctx, t.Resolver, a)
		if err != nil {
			return nil, err
		}
		network, endpoint = ipNetwork(first.Addr()), first.String()
	}
	config := net.ListenConfig{
		KeepAliveConfig: keepAliveConfig(),
		Control: func(_, _ string, socket syscall.RawConn) error {
			return setUserTimeout(socket, userTimeout) // accepted sockets inherit it
		},
	}
	config.SetMultipathTCP(false) // its sockets do not have the user timeout
	l, err := config.Listen(ctx, network, endpoint)
	if err != nil {
		return nil, tcpCause(err, network)
	}
	bound, _ := a.WithPort(l.Addr().(*net.TCPAddr).AddrPort().Port())
	return &tcpListener{l.(*net.TCPListener), bound}, nil
}

// tcpNetwork is the network of an address in the words of package net: "tcp"
// for a name, whose addresses can be of either family.
func tcpNetwork(a addr.Addr) (string, error) {
	if _, ok := a.Port(); !ok {
		return "", ErrNoPort
	}
	ip, ok := a.IP()
	if !ok {
		return "tcp", nil
	}
	if ip.Is4In6() {
		return "", ErrIPv4Mapped
	}
	return ipNetwork(ip), nil
}

func ipNetwork(ip netip.Addr) string {
	if ip.Is4() {
		return "tcp4"
	}
	return "tcp6"
}

// tcpCause is the error without the endpoint, unless a name stood for it, and
// with a deadline of the context's told as such, whoever noticed it first.
func tcpCause(err error, network string) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return context.DeadlineExceeded
	}
	if op := (*net.OpError)(nil); network != "tcp" && errors.As(err, &op) {
		return op.Err
	}
	return err
}

func keepAliveConfig() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: keepAlive, Interval: keepAliveInterval, Count: keepAliveCount}
}

type tcpListener struct {
	*net.TCPListener
	addr addr.Addr
}

// Addr is the address listened on.
func (l *tcpListener) Addr() addr.Addr { return l.addr }

// Accept takes the next connection.
func (l *tcpListener) Accept() (Conn, error) {
	conn, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return &tcpConn{conn, addr.FromIP(l.addr.Scheme(), conn.RemoteAddr().(*net.TCPAddr).AddrPort())}, nil
}

type tcpConn struct {
	*net.TCPConn
	peer addr.Addr
}

// Peer is the other end.
func (c *tcpConn) Peer() addr.Addr { return c.peer }
