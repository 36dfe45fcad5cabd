package transport

import (
	"errors"
	"io"
	"net"
	"time"

	"dchat/p2p/addr"
)

// memEnd says who sits at one end of a connection.
type memEnd struct {
	addr memAddr
	peer addr.Addr // what it is to the other end
}

// memConn is one end of a connection in a Mem network. It implements Conn.
type memConn struct {
	in, out       *memPipe
	local, remote memEnd
}

// newMemConns makes the two ends of a connection with so many bytes of buffer in
// each direction.
func newMemConns(buffer int, client, server memEnd) (atClient, atServer *memConn) {
	up, down := newMemPipe(buffer), newMemPipe(buffer)
	return &memConn{in: down, out: up, local: client, remote: server},
		&memConn{in: up, out: down, local: server, remote: client}
}

// Read takes what is buffered, waiting when there is nothing.
func (c *memConn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	return n, c.opError("read", err)
}

// Write returns when all of it is buffered.
func (c *memConn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	return n, c.opError("write", err)
}

// Close ends both halves. The peer still reads what was written.
func (c *memConn) Close() error {
	return c.opError("close", errors.Join(c.in.closeRead(), c.out.closeWrite()))
}

// CloseWrite ends the half that is written.
func (c *memConn) CloseWrite() error { return c.opError("close", c.out.endWrite()) }

// SetReadDeadline also reaches reads under way.
func (c *memConn) SetReadDeadline(t time.Time) error {
	return c.opError("set", c.in.setReadDeadline(t))
}

// SetWriteDeadline also reaches writes under way.
func (c *memConn) SetWriteDeadline(t time.Time) error {
	return c.opError("set", c.out.setWriteDeadline(t))
}

// SetDeadline sets both.
func (c *memConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// LocalAddr is our end.
func (c *memConn) LocalAddr() net.Addr { return c.local.addr }

// RemoteAddr is the other end.
func (c *memConn) RemoteAddr() net.Addr { return c.remote.addr }

// Peer is the other end as this one knows it.
func (c *memConn) Peer() addr.Addr { return c.remote.peer }

// opError gives an error the form that errors of other connections have.
func (c *memConn) opError(op string, err error) error {
	if err == nil || err == io.EOF { //nolint:errorlint // the pipe's own, and readers compare it
		return err
	}
	return &net.OpError{Op: op, Net: "mem", Source: c.local.addr, Addr: c.remote.addr, Err: err}
}
