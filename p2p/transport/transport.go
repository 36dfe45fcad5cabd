package transport

import (
	"context"
	"net"
	"net/netip"

	"dchat/p2p/addr"
)

// Transport makes connections. Its methods may be called concurrently. New
// transports pass the tests of package transporttest.
type Transport interface {
	// Dial connects to an address, which has a port. The context bounds all of
	// it: the lookup of a name, the connection, the TLS handshake. It has no say
	// over the connection that is returned.
	Dial(ctx context.Context, a addr.Addr) (Conn, error)

	// Listen begins to take connections at an address. With port 0 the system
	// chooses one. The context bounds the lookup of a name, and has no say over
	// the listener that is returned. A transport that only dials, see CanListen,
	// returns an error that wraps ErrDialOnly.
	Listen(ctx context.Context, a addr.Addr) (Listener, error)
}

// DialOnly is implemented by a Transport that may not be able to listen.
type DialOnly interface {
	// DialOnly tells whether Listen always fails.
	DialOnly() bool
}

// CanListen tells whether a transport takes connections as well as making them:
// every one but those whose DialOnly says otherwise.
func CanListen(t Transport) bool {
	d, ok := t.(DialOnly)
	return !ok || !d.DialOnly()
}

// Settler is a Transport whose connections may go on for a moment when they have been
// closed, so that what was written before arrives.
type Settler interface {
	// Settle waits until the connections that were closed are gone; those that are
	// left when ctx ends are cut off. It waits for no others.
	Settle(ctx context.Context)
}

// Checker is a Transport that asks before it connects. One that looks up names
// should be one.
type Checker interface {
	// DialChecked is Dial that asks check about each IP address before it tries to
	// connect to it, also about those that a name turned out to stand for. An error
	// of check's takes the place of the attempt. It is called concurrently; nil
	// allows everything.
	DialChecked(ctx context.Context, a addr.Addr, check func(netip.Addr) error) (Conn, error)
}

// dialChecked is DialChecked for every transport. One that is no Checker looks up no
// names, so that only the address itself can be asked about.
func dialChecked(ctx context.Context, t Transport, a addr.Addr, check func(netip.Addr) error) (Conn, error) {
	if c, ok := t.(Checker); ok {
		return c.DialChecked(ctx, a, check)
	}
	if ip, ok := a.IP(); ok && check != nil {
		if err := check(ip); err != nil {
			return nil, &Error{opDial, a, err}
		}
	}
	return t.Dial(ctx, a)
}

// Listener takes the connections that others make. Its methods may be called
// concurrently.
type Listener interface {
	// Accept waits for the next connection and returns it as it is: a TLS
	// handshake is still to come, so that a silent peer holds up nobody (see
	// Handshake). Its error wraps net.ErrClosed when the listener is closed. One
	// with a method Temporary that says so may pass, and is worth another try after a
	// pause; after any other the listener is of no use, and another one is tried.
	Accept() (Conn, error)

	// Close ends listening and unblocks Accept. Connections that were accepted
	// stay, those that were not are closed.
	Close() error

	// Addr is the address listened on, as given, with the port really bound.
	Addr() addr.Addr
}

// Conn is one stream of bytes to a peer.
//
// Its methods may be called concurrently. Close unblocks Read and Write, which
// then fail with net.ErrClosed. An expired deadline is os.ErrDeadlineExceeded:
// reading may go on after it, with a new deadline; a stream whose write was cut
// off is good for nothing but closing.
//
// Read returns io.EOF when the peer has ended its half.
type Conn interface {
	net.Conn

	// CloseWrite ends our half of the stream, after what was written before. The
	// other half can still be read. It fails before the handshake is done.
	CloseWrite() error

	// Peer is the other end: for a dialled connection the address that was
	// dialled, with its name where it has one; for an accepted one the socket
	// address of the peer in the scheme of the listener.
	Peer() addr.Addr
}

// Handshaker is a Conn that has something to do before bytes can flow.
type Handshaker interface {
	// Handshake does it, once, however often it is called. The connection is of
	// no use after an error, and must still be closed.
	Handshake(ctx context.Context) error
}

// Handshake completes what an accepted connection has to do before bytes can
// flow, which is the TLS handshake. The context bounds it. It is safe to call
// Close meanwhile, which makes it fail. For other connections, and dialled ones,
// it does nothing.
//
// A connection on which it was not called shakes hands at its first Read or
// Write, within their deadlines.
func Handshake(ctx context.Context, c Conn) error {
	if h, ok := c.(Handshaker); ok {
		return h.Handshake(ctx)
	}
	return nil
}
