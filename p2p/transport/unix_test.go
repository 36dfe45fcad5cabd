//go:build unix

package transport_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/socketfile"
	"dchat/p2p/transport"
	"dchat/p2p/transport/transporttest"
)

// socketPath is a path for a socket, short enough for one, where nothing stands.
func socketPath(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "unix")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

func TestUnix(t *testing.T) {
	for _, begins := range []string{"unix://", "unix:"} {
		t.Run(begins, func(t *testing.T) {
			transporttest.Run(t, func(t *testing.T) transporttest.Subject {
				return transporttest.Subject{
					Transport: transport.Unix{},
					Listen:    addr.MustParse(begins + socketPath(t)),
					Stalled:   crowdedUnix,
				}
			})
		})
	}
}

// crowdedUnix returns the address of a listener that has as many waiting as it takes.
func crowdedUnix(t *testing.T) addr.Addr {
	t.Helper()
	path := socketPath(t)
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) }) // nothing was sent
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	for {
		c, err := net.Dial("unix", path)
		if errors.Is(err, syscall.EAGAIN) {
			return addr.MustParse("unix://" + path)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() }) // nothing was sent
	}
}

func TestUnixWaitsForACrowdedListener(t *testing.T) {
	a := addr.MustParse("unix://" + socketPath(t))
	l := mustListen(t, transport.Unix{}, a.String()).(interface {
		transport.Listener
		SyscallConn() (syscall.RawConn, error)
	})
	socket, err := l.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := socket.Control(func(fd uintptr) { err = syscall.Listen(int(fd), 0) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	const many = 8 // and there is room for one
	dialled := make(chan error)
	for range many {
		go func() {
			c, err := (transport.Unix{}).Dial(t.Context(), a)
			if err == nil {
				err = c.Close()
			}
			dialled <- err
		}()
	}
	for range many {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close() // nothing was sent
	}
	for range many {
		if err := <-dialled; err != nil {
			t.Errorf("Dial: %v", err)
		}
	}
}

func TestUnixAddressesThatNameNoSocket(t *testing.T) {
	for _, c := range []struct{ a, want string }{
		{"unix://localhost/run/s", "it has a host"},
		{"unix://run/s", "it has a host"},
		{"unix://~/s", "it has a host"},
		{"unix:run/s", "does not begin at the root"},
		{"unix:./s", "does not begin at the root"},
		{"unix:", "does not begin at the root"},
		{"unix://", "does not begin at the root"},
		{"unix:~/s", "~ stands for no directory"},
		{"unix:///~/s", "~ stands for no directory"},
		{"unix:///", "ends in a slash"},
		{"unix:///run/s/", "ends in a slash"},
		{"unix:/run/s%2F", "ends in a slash"},
		{"unix:///run/s/.", "ends in a slash"},
		{"unix:///run/%00", "that of no file"},
		{"unix:///" + strings.Repeat("x", 107), "too long for a socket, with 108 bytes: choose one of at most 10"},
		{"unix:///" + strings.Repeat("%78", 107), "too long for a socket, with 108 bytes: choose one of at most 10"},
	} {
		a := addr.MustParse(c.a)
		_, dialErr := (transport.Unix{}).Dial(t.Context(), a)
		_, listenErr := (transport.Unix{}).Listen(t.Context(), a)
		for begins, err := range map[string]error{"cannot dial ": dialErr, "cannot listen on ": listenErr} {
			bad := (*socketfile.PathError)(nil)
			if !errors.As(err, &bad) || !strings.Contains(bad.Reason, c.want) || !strings.HasPrefix(err.Error(), begins+a.Redacted()+": ") {
				t.Errorf("%s: %v, want %q", c.a, err, c.want)
			}
		}
	}
}

// TestUnixPathsAreDecoded: two spellings of one file.
func TestUnixPathsAreDecoded(t *testing.T) {
	path := socketPath(t)
	dir, _ := filepath.Split(path)
	mustListen(t, transport.Unix{}, "unix://"+dir+"./none/../%73%25")
	c, err := (transport.Unix{}).Dial(t.Context(), addr.MustParse("unix:"+path+"%25"))
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close() // nothing was sent
	if _, err := os.Lstat(path + "%"); err != nil {
		t.Error(err)
	}
}

func TestUnixDialErrors(t *testing.T) {
	path := socketPath(t)
	a := addr.MustParse("unix://" + path)
	for _, c := range []struct {
		name string
		make func() error
		want error
		text string
	}{
		{"nothing", func() error { return nil }, fs.ErrNotExist, "connect: no such file or directory"},
		{"a dead program's socket", func() error { return leaveSocket(path) }, syscall.ECONNREFUSED, "connect: connection refused"},
		{"a file", func() error { return os.WriteFile(path, nil, 0o600) }, syscall.ECONNREFUSED, "connect: connection refused"},
	} {
		if err := c.make(); err != nil {
			t.Fatal(err)
		}
		_, err := (transport.Unix{}).Dial(t.Context(), a)
		if !errors.Is(err, c.want) || err.Error() != "cannot dial "+a.String()+": "+c.text {
			t.Errorf("%s: %v, want %s", c.name, err, c.text)
		}
		_ = os.Remove(path) // there may be none
	}
}

// leaveSocket leaves a socket at a path as a program does that is killed.
func leaveSocket(path string) error {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	return l.Close()
}

func TestUnixListeningReplacesADeadSocketOnly(t *testing.T) {
	path := socketPath(t)
	a := addr.MustParse("unix://" + path)
	if err := leaveSocket(path); err != nil {
		t.Fatal(err)
	}
	l := mustListen(t, transport.Unix{}, a.String())
	if file, err := os.Lstat(path); err != nil || file.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("the file: %v, %v, want a socket of mode 0600", file, err)
	}
	_, err := (transport.Unix{}).Listen(t.Context(), a)
	if want := "cannot listen on " + a.String() + ": address already in use: another program listens there: stop it, or choose another path"; !errors.Is(err, syscall.EADDRINUSE) || err.Error() != want {
		t.Errorf("the second Listen: %v, want %s", err, want)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is left behind: %v", err)
	}
}

func TestUnixBothEndsCanBeAskedWhereTheyAre(t *testing.T) {
	a := addr.MustParse("unix://" + socketPath(t))
	l := mustListen(t, transport.Unix{}, a.String())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dialled, err := (transport.Unix{}).Dial(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	defer dialled.Close() //nolint:errcheck // nothing was sent
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close() //nolint:errcheck // nothing was sent
	for _, c := range []transport.Conn{dialled, accepted} {
		for _, end := range []net.Addr{c.LocalAddr(), c.RemoteAddr()} {
			if end == nil || end.Network() != "unix" {
				t.Errorf("an end is %v, want a unix address, with or without a name", end)
			}
		}
	}
}
