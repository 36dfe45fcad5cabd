package jsonrpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/socketfile"
)

// listen binds a. The error says what to do.
func listen(ctx context.Context, a addr.Addr) (net.Listener, error) {
	if a.Scheme() == addr.Unix {
		return listenUnix(ctx, a)
	}
	if _, ok := a.Port(); !ok {
		return nil, errors.New("it has no port")
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", a.HostPort())
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%w: another program listens there: stop it, or choose another port", err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%w: this machine does not have that address: choose 127.0.0.1", err)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%w: choose a port above 1023", err)
	}
	return listener, err
}

// listenUnix binds a socket file that only its owner can open.
func listenUnix(ctx context.Context, a addr.Addr) (net.Listener, error) {
	path, ok := a.FilePath()
	if !ok {
		return nil, errors.New("want unix:///absolute/path")
	}
	listener, err := socketfile.Listen(ctx, path)
	if err != nil {
		return nil, err // and no listener that is a nil pointer
	}
	return listener, nil
}

// boundAddr is a with the port that listener has.
func boundAddr(a addr.Addr, listener net.Listener) addr.Addr {
	if tcp, ok := listener.Addr().(*net.TCPAddr); ok {
		if bound, ok := a.WithPort(uint16(tcp.Port)); ok {
			return bound
		}
	}
	return a
}

// isLocal tells whether only this machine can reach a.
func isLocal(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return !ok || tcp.IP.IsLoopback()
}

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

// over is l with the limit on another listener: connections of both count.
func (l *slotListener) over(next net.Listener) *slotListener {
	return &slotListener{Listener: next, slots: l.slots, refusal: l.refusal}
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
