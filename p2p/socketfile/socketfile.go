// Package socketfile listens on unix sockets, which programs of one machine find by
// a file: only its owner can connect to it, one that a dead program left behind is
// replaced, nothing else that stands in its place is touched, and it goes with the
// listener.
package socketfile

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// mostPath is how long a path may be, in bytes: 107 on Linux, 103 on other systems.
const mostPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// PathError says why no socket file can be at a path, and what to do. It is
// syscall.EINVAL to errors.Is.
type PathError struct{ Reason string }

// Error gives the reason.
func (e *PathError) Error() string { return e.Reason }

// Unwrap gives what the system calls it.
func (e *PathError) Unwrap() error { return syscall.EINVAL }

// CheckPath says whether a socket file can be at a path: one that is absolute, names
// a file and is as short as the system wants it. The error is a *PathError. It looks
// at no file.
func CheckPath(path string) error {
	switch first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/"); {
	case first == "~":
		return &PathError{"its ~ stands for no directory: write the whole path"}
	case !strings.HasPrefix(path, "/"):
		return &PathError{"its path does not begin at the root: write unix:///absolute/path"}
	case strings.HasSuffix(path, "/"):
		return &PathError{"its path ends in a slash: write that of a file"}
	case len(path) > mostPath:
		return &PathError{fmt.Sprintf("its path is too long for a socket, with %d bytes: choose one of at most %d", len(path), mostPath)}
	}
	return nil
}

// Listener is a listener on a socket file.
type Listener struct {
	*net.UnixListener
	path  string
	file  os.FileInfo
	close func() error
}

// Close ends listening and removes the file, unless another one stands there by
// now. What was accepted stays.
func (l *Listener) Close() error { return l.close() }

// takeTime bounds how long it may take to find out whether a file can be replaced,
// and to replace it.
const takeTime = 5 * time.Second

// Listen makes a socket file of mode 0600 and listens on it.
//
// It replaces a socket that is ours and on which nobody answers. Of several programs
// that do so at a time one gets the place, and the others an error. That is
// syscall.EADDRINUSE when something else stands there, a *PathError when nothing can, an
// os.ErrNotExist when there is no such directory; all say what to do.
//
// On systems other than Linux the file has, for the moment until Listen returns, the
// mode that the umask leaves.
func Listen(ctx context.Context, path string) (*Listener, error) {
	if err := CheckPath(path); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, takeTime)
	defer cancel()
	unlock, err := lockDir(ctx, filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	inner, err := bind(ctx, path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%w: create its directory first", err)
	case err != nil:
		return nil, err
	}
	l := &Listener{UnixListener: inner, path: path}
	l.close = sync.OnceValue(l.end)
	if l.file, err = os.Lstat(path); err == nil {
		err = os.Chmod(path, 0o600) // it is so already on Linux, but for what the umask took
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// bind makes the socket and its file.
func bind(ctx context.Context, path string) (*net.UnixListener, error) {
	private := net.ListenConfig{Control: makePrivate}
	l, err := private.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	inner := l.(*net.UnixListener)
	inner.SetUnlinkOnClose(false) // it would not look whose file it is
	return inner, nil
}

// end is Close. Once the socket is closed the number by which its file is known can
// be that of another one, so that it looks first, and never again.
func (l *Listener) end() error {
	if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.file) {
		_ = os.Remove(l.path) // a file that stays is replaced by the next who listens
	}
	return l.UnixListener.Close()
}

// removeStale makes room at a path: it removes a socket of ours that a program
// which has ended left behind, and nothing else.
func removeStale(ctx context.Context, path string) error {
	file, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case file.Mode().Type() != os.ModeSocket:
		return inUse("the file that stands there is no socket: choose another path")
	case !isOurs(file):
		return inUse("a socket of another user stands there: choose another path")
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		_ = conn.Close() // nothing was sent
	}
	switch {
	case err == nil, errors.Is(err, syscall.EAGAIN): // so many wait to be answered
		return inUse("another program listens there: stop it, or choose another path")
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	}
	return inUse(fmt.Sprintf("a socket stands there already, and it cannot be told whether it is in use (%v): remove it, or choose another path", err))
}

func inUse(text string) error { return fmt.Errorf("%w: %s", syscall.EADDRINUSE, text) }
