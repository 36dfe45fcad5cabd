package transport

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// setUserTimeout bounds how long the system tries to get data across.
func setUserTimeout(socket syscall.RawConn, d time.Duration) error {
	return socket.Control(func(fd uintptr) {
		// A kernel that refuses only takes its own, longer, time.
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
	})
}
