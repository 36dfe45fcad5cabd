//go:build unix

package socketfile

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestOthersCanNeverConnect(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o777} {
		path := filepath.Join(shortDir(t), "s")
		withUmask(umask, func() {
			l, err := bind(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			if mode := modeOf(t, path); runtime.GOOS == "linux" && mode&0o177 != 0 {
				t.Errorf("umask %#o: the file begins with mode %#o", umask, mode)
			}
			_ = l.Close() // nobody connected
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			listener, err := Listen(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			if mode := modeOf(t, path); mode != 0o600 {
				t.Errorf("umask %#o: the file has mode %#o, want 0600", umask, mode)
			}
			_ = listener.Close() // nobody connected
		})
	}
}

func TestAStaleSocketOfAnotherUserIsLeftAlone(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	l, err := bind(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close() // nobody connected
	const nobody = 65534
	if err := os.Chown(path, nobody, nobody); err != nil {
		t.Skip("it takes root to make a file of another user: ", err)
	}
	if _, err := Listen(t.Context(), path); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "another user") {
		t.Errorf("Listen: %v, want EADDRINUSE, and that it is of another user", err)
	}
	modeOf(t, path) // it is there
}

func TestALockOnTheDirectoryIsWaitedForAsLongAsTheContextAllows(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	unlock, err := lockDir(t.Context(), filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Listen(ctx, path); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "lock") {
		t.Errorf("Listen: %v, want EADDRINUSE, and that there is a lock", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a file: %v", err)
	}
	time.AfterFunc(20*time.Millisecond, unlock)
	l, err := Listen(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close() // nobody connected
}

// shortDir makes a directory with a path that is short enough for a socket in it.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "socketfile")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func withUmask(umask int, f func()) {
	defer syscall.Umask(syscall.Umask(umask))
	f()
}

func modeOf(t *testing.T, path string) os.FileMode {
	t.Helper()
	file, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return file.Mode().Perm()
}
