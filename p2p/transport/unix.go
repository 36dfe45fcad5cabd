package transport

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/socketfile"
)

// Unix connects over the unix sockets of this machine, which are found by a file:
// unix:///absolute/path or unix:/absolute/path. Others have no say in what is heard
// and said there, and only programs of the same user can connect.
//
// Listening makes the file and closing removes it; see socketfile.Listen for what
// becomes of one that stands there. Dialling where there is no file is
// os.ErrNotExist, and a file on which nobody listens is syscall.ECONNREFUSED. When
// the other end has more connections waiting than it takes, Dial waits too.
type Unix struct{}

// busyPause is how long a dial waits before it tries again where too many wait.
const busyPause = 10 * time.Millisecond

// Dial implements Transport. The peer is the address as dialled.
func (Unix) Dial(ctx context.Context, a addr.Addr) (Conn, error) {
	path, err := SocketPath(a)
	if err != nil {
		return nil, &Error{opDial, a, err}
	}
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
		if err == nil {
			return &unixConn{conn.(*net.UnixConn), a}, nil
		}
		if !errors.Is(err, syscall.EAGAIN) {
			return nil, &Error{opDial, a, tcpCause(err, "unix")}
		}
		select {
		case <-time.After(busyPause):
		case <-ctx.Done():
			return nil, &Error{opDial, a, ctx.Err()}
		}
	}
}

// Listen implements Transport. As those who connect have no address, the peer of an
// accepted connection is the address of the listener.
func (Unix) Listen(ctx context.Context, a addr.Addr) (Listener, error) {
	path, err := SocketPath(a)
	if err != nil {
		return nil, &Error{opListen, a, err}
	}
	l, err := socketfile.Listen(ctx, path)
	if err != nil {
		return nil, &Error{opListen, a, err}
	}
	return &unixListener{l, a}, nil
}

// SocketPath is the path of the socket file that a unix address names. The error, a
// *socketfile.PathError, says why it names none, and what to write instead. It looks
// at no file.
func SocketPath(a addr.Addr) (string, error) {
	path, ok := a.FilePath()
	switch {
	case a.Host() != "":
		return "", &socketfile.PathError{Reason: "it has a host, and sockets have none: write unix:///absolute/path"}
	case ok:
		return path, socketfile.CheckPath(path)
	case !strings.HasPrefix(a.Path(), "/"):
		return "", socketfile.CheckPath(a.Path())
	}
	return "", &socketfile.PathError{Reason: "its path can be that of no file: write unix:///absolute/path"}
}

type unixListener struct {
	*socketfile.Listener
	addr addr.Addr
}

// Addr is the address listened on.
func (l *unixListener) Addr() addr.Addr { return l.addr }

// Accept takes the next connection.
func (l *unixListener) Accept() (Conn, error) {
	conn, err := l.AcceptUnix()
	if err != nil {
		return nil, err
	}
	return &unixConn{conn, l.addr}, nil
}

type unixConn struct {
	*net.UnixConn
	peer addr.Addr
}

// Peer is the other end.
func (c *unixConn) Peer() addr.Addr { return c.peer }
