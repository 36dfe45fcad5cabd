//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package socketfile

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// lockInterval is how often it is tried to get a lock that another holds.
const lockInterval = 5 * time.Millisecond

// lockDir locks a directory against others of its kind, so that nobody removes a
// socket as stale which another has just made. A lock on the directory leaves no file
// behind and goes with its holder; the rename or link of a file made elsewhere would
// still leave a moment between looking at the old one and taking it away.
//
// A directory that cannot be locked, because its file system knows no locks or it
// cannot be read, is used without: only who starts at the very same moment notices.
func lockDir(ctx context.Context, dir string) (unlock func(), err error) {
	d, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY, 0) //nolint:gosec // the operator says where
	if err != nil {
		return func() {}, nil //nolint:nilerr // whether there can be a socket is for bind to say
	}
	unlock = func() { _ = d.Close() } // which ends the lock too
	for {
		err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return unlock, nil
		}
		select {
		case <-time.After(lockInterval):
		case <-ctx.Done():
			unlock()
			return nil, inUse("another program has a lock on its directory: stop it, or choose another directory")
		}
	}
}
