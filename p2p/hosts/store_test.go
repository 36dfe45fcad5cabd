package hosts_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/hosts"
)

// The test binary runs as another node when these are in its environment.
const (
	childFile = "HOSTS_TEST_FILE"
	childRole = "HOSTS_TEST_ROLE"
)

// child is another node with the same file. It prints a line for all it has
// done.
func child(file, role string) {
	h := hosts.New(hosts.Settings{Dialable: []string{"tcp"}, File: file}, zap.NewNop())
	if err := h.Load(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("loaded")
	for generation := 0; role == "save"; generation++ {
		for _, e := range h.List(hosts.Gold) {
			h.Drop(e.Addr)
		}
		for i := range 200 {
			a := ad("tcp://150.%d.%d.1:%d", 1+i, generation%250, 1+generation%60_000)
			if err := h.Connected(a); err != nil {
				fmt.Println(err)
				return
			}
			h.Release(a)
		}
		if err := h.Save(context.Background()); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("saved")
	}
	_, _ = os.Stdin.Read(make([]byte, 1)) // until the parent ends
}

// start runs another node; next returns what it says next.
func start(t *testing.T, file, role string) (kill func(), next func() string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childFile+"="+file, childRole+"="+role)
	stdin, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(out)
	kill = func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		_ = stdin.Close()
	}
	return kill, func() string {
		lines.Scan()
		return lines.Text()
	}
}

func withFile(path string) func(*hosts.Settings) { return func(s *hosts.Settings) { s.File = path } }

func TestD1KilledWhileSaving(t *testing.T) {
	path := hostlist(t)
	for range 25 {
		kill, next := start(t, path, "save")
		if got := next(); got != "loaded" {
			t.Fatalf("the other node says %q", got)
		}
		saves := 1 + rand.IntN(10)
		for range saves {
			if got := next(); got != "saved" {
				t.Fatalf("the other node says %q", got)
			}
		}
		kill()

		h := book(t, withFile(path))
		must(t, h.Load(t.Context()))
		if n := h.Len(hosts.Gold); n != 200 {
			t.Fatalf("%d addresses in the file, want 200", n)
		}
		ports := map[int]bool{} // as many as there are generations
		for _, e := range h.List(hosts.Gold) {
			port, _ := e.Addr.Port()
			if ports[int(port)] = true; int(port) < saves {
				t.Fatalf("generation %d is in the file, and %d was saved", port, saves)
			}
		}
		if len(ports) != 1 {
			t.Fatalf("a mixture of %d generations", len(ports))
		}
		must(t, h.Close())
	}
	if _, err := os.Stat(path + ".bak"); err == nil {
		t.Error("a line was not valid: there is a backup")
	}
}

// A disk that is full, by a temporary file that leads to one.
func TestD2TheOldFileStaysWhenTheDiskIsFull(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Logf("not tried: there is no /dev/full on %s", runtime.GOOS)
		return
	}
	path := hostlist(t)
	h := book(t, withFile(path))
	must(t, h.Load(t.Context()))
	gold(t, h, target)
	must(t, h.Save(t.Context()))
	old := readFile(t, path)

	gold(t, h, ad("tcp://9.9.9.9:1"))
	for range 100 {
		must(t, os.Symlink("/dev/full", path+".tmp"))
		err := h.Save(t.Context())
		if err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("got %v", err)
		}
		if got := readFile(t, path); got != old {
			t.Errorf("the file is now %q", got)
		}
		if _, err := os.Lstat(path + ".tmp"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the temporary file is left: %v", err)
		}
	}
	must(t, h.Save(t.Context()))
	if got := readFile(t, path); strings.Count(got, "\n") != 2 {
		t.Errorf("saved when there is room again: %q", got)
	}
}

func TestD3PathsThatAreNoFile(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"a directory":       func(path string) error { return os.MkdirAll(path, 0o700) },
		"a loop of links":   func(path string) error { return os.Symlink(path, path) },
		"a device":          func(path string) error { return os.Symlink("/dev/zero", path) },
		"a link to nowhere": func(path string) error { return os.Symlink(path+"/x/y", path) },
		"under a file": func(path string) error {
			return errors.Join(os.Remove(filepath.Dir(path)), os.WriteFile(filepath.Dir(path), nil, 0o600))
		},
		"the lock is a place": func(path string) error { return os.Mkdir(path+".lock", 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			path := hostlist(t)
			must(t, os.MkdirAll(filepath.Dir(path), 0o700))
			must(t, spoil(path))
			h := book(t, withFile(path))
			err := h.Load(t.Context())
			if locked := (*hosts.LockedError)(nil); err == nil || errors.As(err, &locked) || !strings.Contains(err.Error(), "host list") {
				t.Errorf("got %v, want an error of the file system", err)
			}
			gold(t, h, target) // the node goes on
		})
	}
}

func TestAMissingFileIsCreatedWithItsDirectory(t *testing.T) {
	path := hostlist(t)
	h := book(t, withFile(path))
	must(t, h.Load(t.Context()))
	if got := readFile(t, path); got != "" {
		t.Errorf("it holds %q", got)
	}
	info, err := os.Stat(filepath.Dir(path))
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the directory is %v", info.Mode())
	}
}

func TestWithoutAFileNothingIsDone(t *testing.T) {
	h := book(t, nil)
	must(t, errors.Join(h.Load(t.Context()), h.Connected(target), h.Save(t.Context()), h.Close()))
}

func TestD4HugeFilesTakeLittle(t *testing.T) {
	sparse := func(path string) {
		writeFile(t, path, "gold\ttcp://8.8.8.8:26/\t1\n")
		must(t, os.Truncate(path, 1<<30))
	}
	lines := func(path string) { writeFile(t, path, strings.Repeat("\tx\n", 10_000_000)) }
	valid := func(path string) {
		var b strings.Builder
		for i := range 150_000 {
			fmt.Fprintf(&b, "grey\ttcp://%d.%d.%d.1:1/\t%d\n", 150+i/62500, 1+i/250%250, 1+i%250, now)
		}
		writeFile(t, path, b.String())
	}
	for name, write := range map[string]func(path string){"1 GiB of zeros": sparse, "10,000,000 lines": lines, "150,000 addresses": valid} {
		path := hostlist(t)
		write(path)
		h := hosts.New(hosts.Settings{Dialable: []string{"tcp"}, File: path}, nopLog, hosts.WithClock((&clock{now}).Now))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		must(t, h.Load(t.Context()))
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		must(t, h.Close())
		if live := int64(after.HeapAlloc) - int64(before.HeapAlloc); live > 64<<20 {
			t.Errorf("%s: %d MiB of heap", name, live>>20)
		}
		if took > 2*time.Minute { // 2 s on an idle machine and without the race detector
			t.Errorf("%s: loaded in %v", name, took)
		}
		t.Logf("%s: %v, %d MiB allocated in all", name, took.Round(time.Millisecond), (after.TotalAlloc-before.TotalAlloc)>>20)
	}
}

func TestD7TheSecondNodeIsRefused(t *testing.T) {
	path := hostlist(t)
	kill, next := start(t, path, "hold")
	defer kill()
	if got := next(); got != "loaded" {
		t.Fatalf("the other node says %q", got)
	}
	h := book(t, withFile(path))
	gold(t, h, target)
	for what, do := range map[string]func(context.Context) error{"Load": h.Load, "Save": h.Save} {
		began := time.Now()
		err := do(t.Context())
		locked := (*hosts.LockedError)(nil)
		if !errors.As(err, &locked) || locked.File != path || locked.Process == 0 || locked.Process == os.Getpid() {
			t.Errorf("%s: got %v, want a LockedError that names the process", what, err)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s took %v", what, took)
		}
	}
	if got := readFile(t, path); got != "" {
		t.Errorf("the file of the other node is now %q", got)
	}
	kill()
	must(t, h.Load(t.Context()))
	must(t, h.Save(t.Context()))
}

func TestCloseGivesTheFileBack(t *testing.T) {
	path := hostlist(t)
	first, second := book(t, withFile(path)), book(t, withFile(path))
	locked := (*hosts.LockedError)(nil)
	for range 3 {
		must(t, first.Load(t.Context()))
		must(t, first.Load(t.Context())) // again is no second lock
		if err := second.Load(t.Context()); !errors.As(err, &locked) {
			t.Fatalf("got %v", err)
		}
		must(t, errors.Join(first.Close(), first.Close()))
		must(t, second.Load(t.Context()))
		must(t, second.Close())
	}
}

func TestLoadAndSaveEndWithTheirContext(t *testing.T) {
	path := hostlist(t)
	h := book(t, withFile(path))
	gold(t, h, target)
	must(t, h.Save(t.Context()))
	gold(t, h, ad("tcp://9.9.9.9:1"))
	old := readFile(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, do := range []func(context.Context) error{h.Load, h.Save} {
		if err := do(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	if got := readFile(t, path); got != old {
		t.Errorf("the file is now %q", got)
	}
}

func TestAListThatCannotBeLockedIsReadAllTheSame(t *testing.T) {
	path := hostlist(t)
	writeFile(t, path, "gold\ttcp://8.8.8.8:26/\t5\n")
	must(t, os.Mkdir(path+".lock", 0o700))
	h := book(t, withFile(path))
	if err := h.Load(t.Context()); err == nil || colour(h, target) != "gold" {
		t.Errorf("got %v, and the address is %s", err, colour(h, target))
	}
}
