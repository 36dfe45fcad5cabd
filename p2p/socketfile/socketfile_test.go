//go:build unix

package socketfile_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dchat/p2p/socketfile"
)

// newDir makes a directory with a path that is short enough for a socket in it.
func newDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "socketfile")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// listen listens until the test ends.
func listen(t *testing.T, path string) *socketfile.Listener {
	t.Helper()
	l, err := socketfile.Listen(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // the test may have closed it
	return l
}

// leaveStale leaves a socket at a path as a program does that is killed.
func leaveStale(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// answers tells whether somebody listens at a path.
func answers(path string) bool {
	c, err := net.Dial("unix", path)
	if err == nil {
		_ = c.Close() // nothing was sent
	}
	return err == nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func TestCheckPath(t *testing.T) {
	longest := len(syscall.RawSockaddrUnix{}.Path) - 1
	for _, c := range []struct{ path, want string }{
		{"/a", ""},
		{"/a/~/b", ""},
		{"/a/~b", ""},
		{"/" + strings.Repeat("x", longest-1), ""},
		{"/" + strings.Repeat("x", longest), "with 108 bytes: choose one of at most 107"},
		{"", "root"},
		{"a", "root"},
		{"./a", "root"},
		{"/", "slash"},
		{"/a/", "slash"},
		{"~", "~"},
		{"~/a", "~"},
		{"/~", "~"},
		{"/~/a", "~"},
	} {
		if longest != 107 {
			c.want, _, _ = strings.Cut(c.want, "with 108")
		}
		err := socketfile.CheckPath(c.path)
		var bad *socketfile.PathError
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%q: %v", c.path, err)
		case c.want != "" && (!errors.As(err, &bad) || !errors.Is(err, syscall.EINVAL) || !strings.Contains(bad.Reason, c.want)):
			t.Errorf("%q: %v, want %q and EINVAL", c.path, err, c.want)
		}
		if c.want == "" {
			continue
		}
		if _, listenErr := socketfile.Listen(t.Context(), c.path); listenErr == nil || listenErr.Error() != err.Error() {
			t.Errorf("Listen(%q): %v, want what CheckPath says", c.path, listenErr)
		}
	}
}

func TestTheLongestPathIsListenedOn(t *testing.T) {
	path := newDir(t) + "/"
	path += strings.Repeat("x", len(syscall.RawSockaddrUnix{}.Path)-1-len(path))
	listen(t, path)
	if !answers(path) {
		t.Error("nobody answers")
	}
}

func TestTheFileIsThereAsLongAsTheListener(t *testing.T) {
	path := filepath.Join(newDir(t), "s")
	for range 2 {
		l := listen(t, path)
		if !answers(path) {
			t.Error("nobody answers")
		}
		for range 2 {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
		if exists(path) {
			t.Error("the file is left behind")
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v, want %v", err, net.ErrClosed)
		}
	}
}

func TestTheFileOfAnotherIsNotRemoved(t *testing.T) {
	path := filepath.Join(newDir(t), "s")
	first := listen(t, path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second := listen(t, path)
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if !answers(path) {
		t.Error("the first listener has removed the file of the second")
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	third := listen(t, path) // its file may have the number of the first
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if !answers(path) {
		t.Error("the first listener has removed the file of the third, when it was closed again")
	}
	if err := third.Close(); err != nil {
		t.Error(err)
	}
}

func TestAStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(newDir(t), "s")
	leaveStale(t, path)
	listen(t, path)
	if !answers(path) {
		t.Error("nobody answers")
	}
}

func TestWhatElseStandsThereIsLeftAlone(t *testing.T) {
	for _, c := range []struct {
		name, want string
		make       func(path string) error
	}{
		{"a file", "no socket: choose another path", func(path string) error { return os.WriteFile(path, []byte("keep"), 0o600) }},
		{"a directory", "no socket: choose another path", func(path string) error { return os.Mkdir(path, 0o700) }},
		{"a link to nothing", "no socket: choose another path", func(path string) error { return os.Symlink("nothing", path) }},
		{"a link to a stale socket", "no socket: choose another path", func(path string) error {
			leaveStale(t, path+".stale")
			return os.Symlink(path+".stale", path)
		}},
		{"a listener", "stop it, or choose another path", func(path string) error {
			l, err := net.Listen("unix", path)
			if err == nil {
				t.Cleanup(func() { _ = l.Close() }) // nobody cares
			}
			return err
		}},
		{"a listener that many wait for", "stop it, or choose another path", func(path string) error {
			fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			t.Cleanup(func() { _ = syscall.Close(fd) }) // nobody cares
			if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}), syscall.Listen(fd, 0)); err != nil {
				return err
			}
			for {
				c, err := net.Dial("unix", path)
				if err != nil {
					if errors.Is(err, syscall.EAGAIN) {
						return nil
					}
					return err
				}
				t.Cleanup(func() { _ = c.Close() }) // nobody cares
			}
		}},
		{"a socket of another kind", "remove it, or choose another path", func(path string) error {
			l, err := net.ListenPacket("unixgram", path)
			if err == nil {
				t.Cleanup(func() { _ = l.Close() }) // nobody cares
			}
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(newDir(t), "s")
			if err := c.make(path); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := socketfile.Listen(t.Context(), path); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Listen: %v, want %q", err, c.want)
			}
			after, err := os.Lstat(path)
			if err != nil || !os.SameFile(before, after) || after.Mode() != before.Mode() || after.ModTime() != before.ModTime() {
				t.Errorf("it has changed: %v", err)
			}
		})
	}
}

func TestADirectoryThatIsMissingOrNone(t *testing.T) {
	dir := newDir(t)
	if _, err := socketfile.Listen(t.Context(), dir+"/none/s"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "create its directory") {
		t.Errorf("Listen: %v, want ErrNotExist and what to do", err)
	}
	for name, err := range map[string]error{"file": os.WriteFile(dir+"/file", nil, 0o600), "fifo": syscall.Mkfifo(dir+"/fifo", 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := socketfile.Listen(t.Context(), dir+"/"+name+"/s"); !errors.Is(err, syscall.ENOTDIR) {
			t.Errorf("Listen under a %s: %v, want ENOTDIR", name, err)
		}
	}
}

// TestOfManyAtATimeOneGetsThePlace: none takes the fresh socket of another for a stale
// one. Locks are between open files, so that it does not matter that all of them are
// in one process.
func TestOfManyAtATimeOneGetsThePlace(t *testing.T) {
	const rounds, many = 100, 8
	path := filepath.Join(newDir(t), "s")
	for round := range rounds {
		if round%2 == 0 {
			leaveStale(t, path)
		}
		type result struct {
			l   *socketfile.Listener
			err error
		}
		results := make(chan result)
		start := make(chan struct{})
		for range many {
			go func() {
				<-start
				l, err := socketfile.Listen(t.Context(), path)
				results <- result{l, err}
			}()
		}
		close(start)
		var winners []*socketfile.Listener
		for range many {
			r := <-results
			switch {
			case r.err == nil:
				winners = append(winners, r.l)
			case !errors.Is(r.err, syscall.EADDRINUSE):
				t.Errorf("Listen: %v, want EADDRINUSE", r.err)
			}
		}
		if len(winners) != 1 || !answers(path) {
			t.Errorf("round %d: %d listen, the file leads to one: %v", round, len(winners), answers(path))
		}
		for _, l := range winners {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
		if exists(path) {
			t.Fatal("the file is left behind")
		}
	}
}
