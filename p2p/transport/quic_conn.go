package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"

	"dchat/p2p/addr"
)

// quicConn is a connection and its one stream. It implements Conn and Handshaker.
type quicConn struct {
	conn   *quic.Conn
	socket *quicSocket
	peer   addr.Addr
	local  net.Addr

	begun    chan struct{} // closed when there is the stream, or will be none
	stream   *quic.Stream  // set under mu, read under it or once begun; nil when there is none
	noStream error         // why there is none, once begun
	gone     chan struct{} // closed when the connection has ended and let go of the socket

	sending sync.Mutex // held to write; a write is not broken into, nor is the end put inside one
	cut     bool       // under sending: a write ended in the middle

	mu      sync.Mutex
	closed  bool
	half    bool        // our half of the stream is closed
	unsure  bool        // something was sent of which nothing says that the peer has it
	linger  *time.Timer // ends what was closed; nil before
	reading quicDeadline
	writing quicDeadline
}

// newQUICDialled is a connection whose stream we have opened. source is the address that
// the system sends from, where the socket has none.
func newQUICDialled(s *quicSocket, conn *quic.Conn, stream *quic.Stream, peer addr.Addr, source netip.Addr) *quicConn {
	local := conn.LocalAddr()
	if s.local.Addr().IsUnspecified() {
		local = net.UDPAddrFromAddrPort(netip.AddrPortFrom(source, s.local.Port()))
	}
	c := newQUICConn(s, conn, peer, local)
	c.stream = stream
	close(c.begun)
	return c
}

// newQUICAccepted is a connection whose stream is still to come.
func newQUICAccepted(s *quicSocket, conn *quic.Conn, peer addr.Addr) *quicConn {
	c := newQUICConn(s, conn, peer, conn.LocalAddr())
	go c.begin()
	return c
}

func newQUICConn(s *quicSocket, conn *quic.Conn, peer addr.Addr, local net.Addr) *quicConn {
	c := &quicConn{conn: conn, socket: s, peer: peer, local: local, begun: make(chan struct{}), gone: make(chan struct{})}
	context.AfterFunc(conn.Context(), c.ended)
	return c
}

// Peer is the other end.
func (c *quicConn) Peer() addr.Addr { return c.peer }

// LocalAddr is our end.
func (c *quicConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is the socket of the peer, from which it may move to another.
func (c *quicConn) RemoteAddr() net.Addr {
	return net.UDPAddrFromAddrPort(udpAddrPort(c.conn.RemoteAddr()))
}

// Read takes what has arrived, waiting when there is nothing.
func (c *quicConn) Read(p []byte) (int, error) {
	stream, err := c.await(&c.reading)
	if err != nil {
		return 0, c.opError("read", err)
	}
	n, err := stream.Read(p)
	err = quicCause(err)
	if errors.Is(err, io.EOF) {
		c.peerEnded()
	}
	return n, c.opError("read", err)
}

// Write returns when all is under way, but for what fits into a packet.
func (c *quicConn) Write(p []byte) (int, error) {
	stream, err := c.await(&c.writing)
	if err != nil {
		return 0, c.opError("write", err)
	}
	c.sending.Lock()
	defer c.sending.Unlock()
	if !c.sends(false) {
		return 0, c.opError("write", net.ErrClosed)
	}
	n, err := stream.Write(p)
	if n > 0 && n < len(p) {
		c.cut = true
	}
	err = quicCause(err)
	if errors.Is(err, io.EOF) {
		err = os.NewSyscallError("write", syscall.EPIPE) // to a peer that has closed
	}
	return n, c.opError("write", err)
}

// CloseWrite waits for a Write under way.
func (c *quicConn) CloseWrite() error {
	select {
	case <-c.begun:
	default:
		return c.opError("close", errNoStream)
	}
	stream, err := c.streamOrCause()
	if err != nil {
		return c.opError("close", err)
	}
	c.sending.Lock()
	defer c.sending.Unlock()
	switch {
	case c.cut:
		err = os.ErrDeadlineExceeded // an orderly end would hide that something is missing
	case c.sends(true):
		err = stream.Close()
	default:
		err = net.ErrClosed
	}
	return c.opError("close", quicCause(err))
}

// SetReadDeadline also reaches reads under way.
func (c *quicConn) SetReadDeadline(t time.Time) error {
	return c.setDeadline(&c.reading, t, (*quic.Stream).SetReadDeadline)
}

// SetWriteDeadline also reaches writes under way.
func (c *quicConn) SetWriteDeadline(t time.Time) error {
	return c.setDeadline(&c.writing, t, (*quic.Stream).SetWriteDeadline)
}

// SetDeadline sets both.
func (c *quicConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *quicConn) setDeadline(d *quicDeadline, t time.Time, ofStream func(*quic.Stream, time.Time) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.wrap("set", net.ErrClosed)
	}
	if c.stream != nil {
		return ofStream(c.stream, t) // it never fails
	}
	d.set(t)
	return nil
}

// sends notes that something is to be sent, perhaps the end of our half, and reports
// whether that may be.
func (c *quicConn) sends(half bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.unsure = true
	c.half = c.half || half
	return true
}

// peerEnded notes that we have read the end of the peer's half. A peer that ends after
// us has what we sent.
func (c *quicConn) peerEnded() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.half {
		c.unsure = false
	}
}

func (c *quicConn) isUnsure() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unsure
}

func (c *quicConn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// opError gives an error the form that errors of other connections have. Whatever it is,
// once we have closed the connection that is the reason.
func (c *quicConn) opError(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case c.isClosed():
		err = net.ErrClosed
	case errors.Is(err, io.EOF):
		return io.EOF
	}
	return c.wrap(op, err)
}

func (c *quicConn) wrap(op string, err error) error {
	return &net.OpError{Op: op, Net: addr.QUIC, Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}
