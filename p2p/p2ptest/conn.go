package p2ptest

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// conn is one end of a simulated connection.
type conn struct {
	net           *Network
	process       *process // whose end it is
	in, out       *flow
	local, remote netip.AddrPort
	peer          addr.Addr
	listener      *listener // that accepts it; nil at the dialling end
	closed        bool
}

var _ transport.Conn = (*conn)(nil)

// connect makes the two ends of a connection and returns the dialling one. It is
// called under the lock.
func (n *Network) connect(d *dialling) *conn {
	l := d.listener
	up := newFlow(n, d.from, l.process, mix(d.id, 1))
	down := newFlow(n, l.process, d.from, mix(d.id, 2))
	source := netip.AddrPortFrom(d.from.host.ip, d.from.host.nextPort())
	client := &conn{net: n, process: d.from, in: down, out: up, local: source, remote: d.to, peer: d.addr}
	server := &conn{net: n, process: l.process, in: up, out: down, local: d.to, remote: source,
		peer: addr.FromIP(l.addr.Scheme(), source), listener: l}
	up.target, down.target = server, client
	n.conns[client], n.conns[server] = struct{}{}, struct{}{}
	up.send(parcelOpen, nil)
	return client
}

// Read takes what has arrived, waiting when there is nothing.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.in.read(b)
	return n, c.failure("read", err)
}

// Write returns when all of it is under way.
func (c *conn) Write(b []byte) (int, error) {
	n, err := c.out.write(b)
	return n, c.failure("write", err)
}

// Close ends both halves. The peer still reads what was written.
func (c *conn) Close() error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.closed {
		return c.failure("close", net.ErrClosed)
	}
	c.leave(parcelClose)
	return nil
}

// leave closes this end, and lets the other know in that way.
func (c *conn) leave(how parcelKind) {
	c.closed, c.in.ignored, c.out.closed = true, true, true
	delete(c.net.conns, c)
	for _, data := range c.in.unread {
		c.in.size -= len(data)
	}
	c.in.unread = nil
	c.in.readLimit.stop()
	c.out.writeLimit.stop()
	if c.out.writeError == nil {
		c.out.send(how, nil)
	}
	c.in.changed.Broadcast()
	c.out.changed.Broadcast()
}

// cut resets the connection at both ends at once.
func (c *conn) cut() {
	delete(c.net.conns, c)
	delete(c.net.conns, c.in.target)
	delete(c.net.conns, c.out.target)
	c.in.cut(syscall.ECONNRESET)
	c.out.cut(syscall.ECONNRESET)
}

// CloseWrite ends the half that is written.
func (c *conn) CloseWrite() error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	switch {
	case c.closed:
		return c.failure("close", net.ErrClosed)
	case c.out.writeError != nil:
		return c.failure("close", c.out.writeError)
	case !c.out.ended:
		c.out.ended = true
		c.out.send(parcelEnd, nil)
		c.out.changed.Broadcast()
	}
	return nil
}

// SetReadDeadline also reaches reads under way.
func (c *conn) SetReadDeadline(t time.Time) error { return c.limit(c.in, &c.in.readLimit, t) }

// SetWriteDeadline also reaches writes under way.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.limit(c.out, &c.out.writeLimit, t) }

// SetDeadline sets both.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *conn) limit(f *flow, d *deadline, t time.Time) error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.closed {
		return c.failure("set", net.ErrClosed)
	}
	d.at = t
	f.changed.Broadcast()
	return nil
}

// LocalAddr is our end.
func (c *conn) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(c.local) }

// RemoteAddr is the other end.
func (c *conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

// Peer is the other end as this one knows it.
func (c *conn) Peer() addr.Addr { return c.peer }

// failure gives an error the form that errors of other connections have.
func (c *conn) failure(op string, err error) error {
	if err == nil || err == io.EOF { //nolint:errorlint // the flow's own, and readers compare it
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}
