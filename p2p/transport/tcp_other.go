//go:build !linux

package transport

import (
	"syscall"
	"time"
)

// setUserTimeout does nothing: the option is Linux's. Write deadlines and
// keep-alive do its work elsewhere.
func setUserTimeout(syscall.RawConn, time.Duration) error { return nil }
