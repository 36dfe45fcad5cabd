package jsonrpc

import (
	"net"
	"sync"
	"time"
)

// slotListener gives out at most so many connections at a time. One more is sent a refusal and
// closed.
type slotListener struct {
	net.Listener
	slots   chan struct{}
	refusal []byte
}

func newSlotListener(l net.Listener, slots int) *slotListener {
	return &slotListener{Listener: l, slots: make(chan struct{}, slots)}
}

func tooManyConns() *Error { return limitError("too many connections") }

// Accept returns the next client for whom there is a slot.
func (l *slotListener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.slots <- struct{}{}:
			return &slotConn{nc, sync.OnceFunc(func() { <-l.slots })}, nil
		default:
			_ = nc.SetWriteDeadline(time.Now().Add(lingerTime))
			_, _ = nc.Write(l.refusal)
			_ = nc.Close()
		}
	}
}

// slotConn gives its slot back when it is closed.
type slotConn struct {
	net.Conn
	release func()
}

// Close closes the connection.
func (c *slotConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// CloseWrite closes the sending side, where there are sides.
func (c *slotConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
