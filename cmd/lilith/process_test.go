package main_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dchat/chat/jsonrpc"
	"dchat/p2p/addr"
)

// patience bounds every wait for something that has to happen, on a machine that may be slow.
const patience = 20 * time.Second

// output is what a process has written so far.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// process is a program that runs, in a home of its own, and answers RPC on a socket there.
type process struct {
	t      *testing.T
	home   string
	rpc    addr.Addr
	cmd    *exec.Cmd
	stdout output
	stderr output
	ended  chan struct{} // closed when it has been waited for
}

// newHome makes a directory with a path that is short enough for a socket in it.
func newHome(t *testing.T) string {
	t.Helper()
	home, err := os.MkdirTemp("", "lilith")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	return home
}

// launch runs a program and returns at once. At the end of the test it is stopped; that it then
// ends as it should, and never wrote of a crash or a data race, is part of every test.
func launch(t *testing.T, program, home string, args ...string) *process {
	t.Helper()
	p := &process{t: t, home: home, rpc: addr.MustParse("unix://" + filepath.Join(home, "rpc.sock")), ended: make(chan struct{})}
	p.cmd = exec.Command(program, args...)
	p.cmd.Env = []string{"HOME=" + home, "GORACE=atexit_sleep_ms=0", "PATH=" + os.Getenv("PATH")}
	p.cmd.Dir = home
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.cleanUp)
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	return p
}

// seed runs lilith with a file and waits until it answers.
func seed(t *testing.T, home, toml string, args ...string) *process {
	t.Helper()
	file := filepath.Join(home, "seed.toml")
	if err := os.WriteFile(file, []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, lilith, home, append([]string{"--config", file, "--rpc-listen", "unix://" + filepath.Join(home, "rpc.sock")}, args...)...)
	p.logged("p2p: Listening")
	return p
}

// node runs dchatd on a free port, which it tells to its seeds.
func node(t *testing.T, seedAt string, args ...string) (p *process, own string) {
	t.Helper()
	home := newHome(t)
	own = freeAddress(t)
	return launch(t, dchatd, home, append([]string{"--rpc-listen", "unix://" + filepath.Join(home, "rpc.sock"),
		"--localnet", "--accept", own, "--external-addrs", own, "--seeds", seedAt}, args...)...), own
}

// freeAddress is one on which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return "tcp://" + l.Addr().String() + "/"
}

// crashed finds in the output of a process what must never be there.
var crashed = regexp.MustCompile(`(?m)^(panic:|fatal error:|goroutine \d+|runtime error|WARNING: DATA RACE)|panicked|"panic"`)

func (p *process) cleanUp() {
	select {
	case <-p.ended:
	default:
		p.signal(syscall.SIGTERM)
		if code := p.exit(); code != 0 {
			p.t.Errorf("%s did not stop as it should at the end of the test: %d", p.cmd.Path, code)
		}
	}
	if bad := crashed.FindString(p.stderr.String()); bad != "" {
		p.t.Errorf("%s crashed: %s", p.cmd.Path, bad)
	}
	if p.t.Failed() {
		p.t.Logf("what %s wrote:\n%s", p.cmd.Path, p.stderr.String())
	}
}

func (p *process) signal(sig os.Signal) {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("sending %v: %v", sig, err)
	}
}

// logged waits until a text is in the log.
func (p *process) logged(text string) {
	p.t.Helper()
	eventually(p.t, func() error {
		if !strings.Contains(p.stderr.String(), text) {
			return fmt.Errorf("not in the log: %q", text)
		}
		return nil
	})
}

// exit waits for the end, and returns the exit code; -1 when a signal killed it.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.signal(os.Kill)
		<-p.ended
		p.t.Errorf("%s has not ended within %v", p.cmd.Path, patience)
	}
	return p.cmd.ProcessState.ExitCode()
}

// eventually waits until check returns nil.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); ; <-tick.C {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within %v: %v", patience, err)
		}
	}
}

// ask calls a method without params, over a connection of its own.
func ask[R any](p *process, method string) (result R, err error) {
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	client, err := jsonrpc.Dial(ctx, p.rpc)
	if err != nil {
		return result, err
	}
	defer func() { _ = client.Close() }()
	return result, client.Call(ctx, method, []any{}, &result)
}
