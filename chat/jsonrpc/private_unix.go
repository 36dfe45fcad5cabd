//go:build unix

package jsonrpc

import "syscall"

// makePrivate gives a socket the mode that Linux then gives its file, so that there is no moment at
// which others can open it. On other systems it does nothing.
func makePrivate(_, _ string, socket syscall.RawConn) error {
	return socket.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), 0o600) })
}
