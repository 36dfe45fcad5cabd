package proc

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"dchat/p2p/addr"
)

// Command says what to run, and how.
type Command struct {
	Program string   // dchatd or lilith
	Args    []string // of the command line
	Env     []string // beside HOME and PATH
	Home    string   // where ~ is, and where it runs
	RPC     string   // where it answers JSON-RPC; default: Socket(Home)
	Stderr  *os.File // takes all that is written, instead of the Process keeping it
	Netns   string   // the network namespace to run in; default: that of the test
}

// Launch runs it and returns at once. At the end of the test it is stopped; that it then ends as it
// should, and never wrote of a crash or a data race, is part of every test.
func (c Command) Launch(t testing.TB) *Process {
	t.Helper()
	p := &Process{
		T: t, Home: c.Home, RPC: addr.MustParse(cmp.Or(c.RPC, Socket(c.Home))),
		program: c.Program, ended: make(chan struct{}),
	}
	line := append([]string{filepath.Join(programs, c.Program)}, c.Args...)
	if c.Netns != "" {
		line = append([]string{"ip", "netns", "exec", c.Netns}, line...) // which becomes the program
	}
	// It is asked to end when the test does: the test's own context would kill it.
	p.cmd = exec.CommandContext(context.Background(), line[0], line[1:]...) //nolint:gosec // this is what tests are for
	p.cmd.Env = append([]string{"HOME=" + c.Home, "GORACE=atexit_sleep_ms=0", "PATH=" + os.Getenv("PATH")}, c.Env...)
	p.cmd.Dir = c.Home
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if c.Stderr != nil {
		p.cmd.Stdout, p.cmd.Stderr = c.Stderr, c.Stderr
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.cleanUp)
	go func() {
		_ = p.cmd.Wait() // ProcessState has it
		close(p.ended)
	}()
	return p
}

// NewHome makes a directory for a program, with a path that is short enough for a socket in it.
func NewHome(t testing.TB) string {
	t.Helper()
	home, err := os.MkdirTemp("", "dchat")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	return home
}

// Socket is the address of a unix socket in a home.
func Socket(home string) string { return "unix://" + filepath.Join(home, "rpc.sock") }

// WriteFile writes a file that only its owner can read, and makes its directory.
func WriteFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
