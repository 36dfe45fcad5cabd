package daemon

import (
	"os"
	"os/signal"
	"syscall"
)

// Hangups tells of SIGHUP, by which a daemon is asked to read its configuration
// again. Several that come before they are looked at are one.
type Hangups <-chan os.Signal

// TakeHangups begins to take SIGHUP; after release it is ignored, so that one which
// comes late does not kill a process that is about to exit. Call it before the
// configuration is first read, so that no change of it can be missed.
func TakeHangups() (_ Hangups, release func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Ignore(syscall.SIGHUP) }
}
