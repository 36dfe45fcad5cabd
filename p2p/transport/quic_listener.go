package transport

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/quic-go/quic-go"

	"dchat/p2p/addr"
)

// Screener is a Listener that works before Accept returns, and can be spared that work
// for peers that are refused anyway.
type Screener interface {
	// Screen has refused asked about each newcomer before anything else is done; one of
	// which it is true is turned away and not accepted. It is called with
	// what Peer of the connection would be, which may be forged still, and must not
	// block.
	Screen(refused func(peer addr.Addr) bool)
}

// quicListener is the listener of a socket.
type quicListener struct {
	socket *quicSocket
	inner  *quic.Listener
	addr   addr.Addr
	closed atomic.Bool
}

// Addr is the address listened on.
func (l *quicListener) Addr() addr.Addr { return l.addr }

// Screen implements Screener.
func (l *quicListener) Screen(refused func(peer addr.Addr) bool) {
	l.socket.load.setScreen(func(from netip.AddrPort) bool { return refused(l.peer(from)) })
}

// Accept returns a connection when its TLS handshake is done, which shows that the peer is
// at its address. Handshakes go on beside each other and have limits of their own.
func (l *quicListener) Accept() (Conn, error) {
	conn, err := l.inner.Accept(context.Background())
	if err == nil {
		handshakeDone(conn)
	}
	if err == nil && (l.closed.Load() || !l.socket.use()) {
		_ = conn.CloseWithError(quicDone, "") // nothing was sent
		err = net.ErrClosed
	}
	if err != nil {
		return nil, &net.OpError{Op: "accept", Net: addr.QUIC, Err: net.ErrClosed} // nothing else ends a listener
	}
	return newQUICAccepted(l.socket, conn, l.peer(udpAddrPort(conn.RemoteAddr()))), nil
}

func (l *quicListener) peer(from netip.AddrPort) addr.Addr {
	return addr.FromIP(l.addr.Scheme(), from)
}

// Close also closes the connections that wait to be accepted.
func (l *quicListener) Close() error {
	if l.closed.Swap(true) {
		return &net.OpError{Op: "close", Net: addr.QUIC, Err: net.ErrClosed}
	}
	_ = l.inner.Close() // it always succeeds
	waiting, err := l.inner.Accept(context.Background())
	for ; err == nil; waiting, err = l.inner.Accept(context.Background()) {
		_ = waiting.CloseWithError(quicDone, "") // nothing was sent
	}
	l.socket.unlisten()
	return nil
}
