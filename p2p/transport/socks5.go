package transport

import (
	"context"
	"net"
	"net/netip"

	"golang.org/x/net/proxy"

	"dchat/p2p/addr"
)

// Socks5 connects through a SOCKS5 proxy, which looks up the names: none is ever
// looked up here but the proxy's own. The fields are not to be changed once it is in
// use. It only dials, and its connections have the socket addresses of the connection
// to the proxy.
//
// A dial that fails for the proxy itself, also because it turns the user away, wraps
// ErrProxy. One that the proxy answers with a refusal says something about the
// destination instead: EHOSTUNREACH (also where the proxy says that the network cannot
// be reached, which is not our network), ECONNREFUSED or ETIMEDOUT, where it says so
// much. Nothing is sent for an address that names no proper destination, whose error
// wraps ErrDestination, ErrNoPort or ErrIPv4Mapped.
type Socks5 struct {
	// Over connects to the proxy, at an address of the scheme tcp.
	Over Transport

	// Proxy is the proxy to everything, socks5://[user:password@]host:port, and the
	// host and port of what is dialled are the destination. With the zero address what
	// is dialled names both: socks5://[user:password@]proxy:port/destination:port.
	Proxy addr.Addr

	// Isolate names the proxy, by its host and port, that is told a user name and a
	// password of their own for each destination, which stay the same for the life of
	// this value. Tor then leads connections to different destinations over different
	// circuits, so that nobody on the way can tell that they come from one node. A proxy
	// whose address has a user is told that one. With the zero address there is none
	// that isolates.
	Isolate addr.Addr

	users users
}

// Dial implements Transport. The proxy says that the destination has been reached
// when it returns.
func (t *Socks5) Dial(ctx context.Context, a addr.Addr) (Conn, error) {
	return t.DialChecked(ctx, a, nil)
}

// DialChecked implements Checker. It asks about a destination that is an IP address,
// never about the proxy.
func (t *Socks5) DialChecked(ctx context.Context, a addr.Addr, check func(netip.Addr) error) (Conn, error) {
	conn, err := t.dial(ctx, a, check)
	if err != nil {
		return nil, &Error{opDial, a, err}
	}
	return &proxiedConn{conn, a}, nil
}

// DialOnly implements the interface of that name.
func (t *Socks5) DialOnly() bool { return true }

// Listen implements Transport: it fails.
func (t *Socks5) Listen(_ context.Context, a addr.Addr) (Listener, error) {
	return nil, &Error{opListen, a, ErrDialOnly}
}

func (t *Socks5) dial(ctx context.Context, a addr.Addr, check func(netip.Addr) error) (Conn, error) {
	r, err := t.route(a)
	if err != nil {
		return nil, err
	}
	if ip, ok := r.destination.IP(); ok && check != nil {
		if err := check(ip); err != nil {
			return nil, err
		}
	}
	conn, err := t.Over.Dial(ctx, r.proxy)
	if err != nil {
		return nil, r.unreachable(ctx, err)
	}
	heard := &overheard{Conn: conn, route: r}
	if err := r.connect(ctx, heard); err != nil {
		_ = conn.Close() // there is an error to report already
		return nil, r.fault(ctx, heard.said, err)
	}
	return conn, nil
}

// connect has the proxy connect to the destination.
func (r *route) connect(ctx context.Context, c net.Conn) error {
	dialer, err := proxy.SOCKS5("tcp", r.proxy.HostPort(), r.auth, connected{c})
	if err != nil {
		return err
	}
	_, err = dialer.(proxy.ContextDialer).DialContext(ctx, "tcp", r.destination.HostPort())
	return err
}

// connected is a connection to a proxy, as package proxy wants to have it: something
// that dials.
type connected struct{ net.Conn }

// Dial implements proxy.Dialer.
func (c connected) Dial(_, _ string) (net.Conn, error) { return c.Conn, nil }

// DialContext implements proxy.ContextDialer, which is what is called.
func (c connected) DialContext(context.Context, string, string) (net.Conn, error) {
	return c.Conn, nil
}

// overheard is a connection that listens in on how the proxy's answers begin, since the
// errors of package proxy are texts, and it lets some answers pass that are none: 2
// bytes to the greeting, 2 more to a user name if the first ask for it, and 2 to the
// request.
type overheard struct {
	Conn
	route *route
	said  []byte // the first 6 bytes
}

// Read fails as soon as what was said is a fault of the proxy, or a refusal.
func (c *overheard) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.said = append(c.said, p[:min(n, 6-len(c.said))]...)
	if fault := c.route.told(c.said); fault != nil {
		return 0, fault
	}
	return n, err
}

type proxiedConn struct {
	Conn
	peer addr.Addr
}

// Peer is what was dialled.
func (c *proxiedConn) Peer() addr.Addr { return c.peer }
