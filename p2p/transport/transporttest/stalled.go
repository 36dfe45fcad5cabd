//go:build unix

package transporttest

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// StalledTCP returns a TCP endpoint at which dialling neither succeeds nor fails until the
// test ends: the system answers nobody there, since its backlog is full. Listen is where,
// with port 0.
func StalledTCP(t testing.TB, listen string) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // nothing was sent
	socket, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := socket.Control(func(fd uintptr) { err = unix.Listen(int(fd), 0) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String()) // the one that waits to be accepted
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // nothing was sent
	return l.Addr().String()
}
