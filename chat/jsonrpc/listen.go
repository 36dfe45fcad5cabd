package jsonrpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"dchat/p2p/addr"
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
