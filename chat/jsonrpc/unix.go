package jsonrpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"dchat/p2p/addr"
)

// unixListener takes its socket file away when it is closed, unless another one stands there by
// then.
type unixListener struct {
	*net.UnixListener
	path string
	file os.FileInfo
}

// Close closes the listener.
func (l *unixListener) Close() error {
	if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.file) {
		_ = os.Remove(l.path)
	}
	return l.UnixListener.Close()
}

// listenUnix binds a socket file that only its owner can open.
func listenUnix(ctx context.Context, a addr.Addr) (net.Listener, error) {
	path, ok := a.FilePath()
	if !ok {
		return nil, errors.New("want unix:///absolute/path")
	}
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	private := net.ListenConfig{Control: makePrivate}
	listener, err := private.Listen(ctx, "unix", path)
	switch {
	case errors.Is(err, syscall.EINVAL):
		return nil, fmt.Errorf("%w: the path is too long for a socket", err)
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%w: create its directory first", err)
	case err != nil:
		return nil, err
	}
	unix := listener.(*net.UnixListener)
	unix.SetUnlinkOnClose(false)
	file, err := os.Lstat(path)
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		_ = unix.Close()
		return nil, err
	}
	return &unixListener{unix, path, file}, nil
}

// removeStale makes room at path: it removes a socket that a process which has ended left behind,
// and nothing else.
func removeStale(ctx context.Context, path string) error {
	file, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case file.Mode().Type() != os.ModeSocket:
		return errors.New("the file that stands there is no socket: choose another path")
	}
	ctx, cancel := context.WithTimeout(ctx, lingerTime)
	defer cancel()
	nc, err := new(net.Dialer).DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = nc.Close()
		return errors.New("another program listens there: stop it, or choose another path")
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("a socket stands there already, and it cannot be told whether it is in use: %w", err)
	}
	return os.Remove(path)
}
