//go:build unix

package socketfile

import (
	"os"
	"syscall"
)

// makePrivate gives a socket the mode that Linux then gives its file, so that there is
// no moment at which others can connect. On other systems it does nothing.
func makePrivate(_, _ string, socket syscall.RawConn) error {
	return socket.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), 0o600) })
}

// isOurs tells whether a file is of the user as whom we run.
func isOurs(file os.FileInfo) bool {
	stat, ok := file.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}
