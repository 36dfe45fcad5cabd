package main_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dchat/p2p/addr"
)

// patience bounds every wait for something that has to happen, on a machine that may be slow.
const patience = 20 * time.Second

// eventually waits until check returns nil.
func eventually(t *testing.T, within time.Duration, check func() error) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(within); ; <-tick.C {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within %v: %v", within, err)
		}
	}
}

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

// setup says how to run dchatd. The zero value runs it in a home of its own, with the
// configuration it writes itself, answering RPC on a unix socket and listening on a free port.
type setup struct {
	home   string   // where ~ is; default: a new directory
	rpc    string   // --rpc-listen; default: a socket in the home
	accept string   // --accept, or "nowhere"; default: any free port of 127.0.0.1
	args   []string // what else is on the command line
	env    []string
	toml   string   // the configuration file; default: none yet
	bare   bool     // with args alone
	stderr *os.File // instead of keeping what is written

	program string // instead of dchatd
	netns   string // the network namespace to run in; default: that of the test
}

// daemon is a process of dchatd.
type daemon struct {
	t       *testing.T
	home    string
	rpc     addr.Addr
	cmd     *exec.Cmd
	stdout  output
	stderr  output
	ended   chan struct{} // closed when it has been waited for
	waitErr error
}

// newHome makes a directory for a daemon, with a path that is short enough for a socket in it.
func newHome(t *testing.T) string {
	t.Helper()
	home, err := os.MkdirTemp("", "dchatd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	return home
}

// configFile is where a daemon with that home keeps its configuration.
func configFile(home string) string {
	return filepath.Join(home, ".config", "darkfi", "dchatd_config.toml")
}

// launch runs dchatd and returns at once. At the end of the test it is stopped; that it then ends
// as it should, and never wrote of a crash or a data race, is part of every test.
func (s setup) launch(t *testing.T) *daemon {
	t.Helper()
	if s.home == "" {
		s.home = newHome(t)
	}
	if s.rpc == "" {
		s.rpc = "unix://" + filepath.Join(s.home, "rpc.sock")
	}
	if s.accept == "" {
		s.accept = "tcp://127.0.0.1:0"
	}
	if s.toml != "" {
		writeFile(t, configFile(s.home), s.toml)
	}
	if !s.bare {
		s.args = append([]string{"--rpc-listen", s.rpc}, s.args...)
		if s.accept != "nowhere" {
			s.args = append(s.args, "--accept", s.accept)
		}
	}
	d := &daemon{t: t, home: s.home, rpc: addr.MustParse(s.rpc), ended: make(chan struct{})}
	command := append([]string{cmp.Or(s.program, dchatd)}, s.args...)
	if s.netns != "" {
		command = append([]string{"ip", "netns", "exec", s.netns}, command...) // which becomes the program
	}
	d.cmd = exec.Command(command[0], command[1:]...)
	d.cmd.Env = append([]string{"HOME=" + s.home, "GORACE=atexit_sleep_ms=0", "PATH=" + os.Getenv("PATH")}, s.env...)
	d.cmd.Dir = s.home
	d.cmd.Stdout, d.cmd.Stderr = &d.stdout, &d.stderr
	if s.stderr != nil {
		d.cmd.Stdout, d.cmd.Stderr = s.stderr, s.stderr
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.cleanUp)
	go func() {
		d.waitErr = d.cmd.Wait()
		close(d.ended)
	}()
	return d
}

// start is launch, and waits until the daemon listens for peers.
func (s setup) start(t *testing.T) *daemon {
	t.Helper()
	d := s.launch(t)
	d.addr()
	return d
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// crashed finds in the output of a process what must never be there.
var crashed = regexp.MustCompile(`(?m)^(panic:|fatal error:|goroutine \d+|runtime error|WARNING: DATA RACE)|panicked|"panic"|SIGQUIT: quit`)

func (d *daemon) cleanUp() {
	if d.running() {
		d.signal(syscall.SIGTERM)
		timer := time.AfterFunc(patience, d.kill)
		defer timer.Stop()
		<-d.ended
		if state := d.cmd.ProcessState; state.ExitCode() != 0 {
			d.t.Errorf("the daemon did not stop as it should at the end of the test: %v", state)
		}
	}
	if bad := crashed.FindString(d.stderr.String()); bad != "" {
		d.t.Errorf("the daemon crashed: %s", bad)
	}
	if d.t.Failed() {
		d.t.Logf("what the daemon wrote:\n%s", d.logTail())
	}
}

// logTail is the end of what was logged.
func (d *daemon) logTail() string {
	log := d.stderr.String()
	return log[max(0, len(log)-4<<10):]
}

func (d *daemon) running() bool {
	select {
	case <-d.ended:
		return false
	default:
		return true
	}
}

func (d *daemon) signal(sig os.Signal) {
	if err := d.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		d.t.Errorf("sending %v: %v", sig, err)
	}
}

// kill is kill -9.
func (d *daemon) kill() {
	d.signal(os.Kill)
	<-d.ended
}

// exit waits for the daemon to end by itself, and returns its status: its exit code, or minus the
// number of the signal that killed it.
func (d *daemon) exit(within time.Duration) int {
	d.t.Helper()
	select {
	case <-d.ended:
	case <-time.After(within):
		d.t.Fatalf("the daemon has not ended within %v", within)
	}
	if status, ok := d.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return -int(status.Signal())
	}
	return d.cmd.ProcessState.ExitCode()
}

// stop ends the daemon cleanly.
func (d *daemon) stop() {
	d.t.Helper()
	d.signal(syscall.SIGTERM)
	if code := d.exit(patience); code != 0 {
		d.t.Fatalf("stopped with status %d", code)
	}
}

// logged waits until the log matches a regular expression, and returns the submatches.
func (d *daemon) logged(pattern string) []string {
	d.t.Helper()
	re := regexp.MustCompile(pattern)
	var found []string
	eventually(d.t, patience, func() error {
		alive := d.running()
		if found = re.FindStringSubmatch(d.stderr.String()); found != nil {
			return nil
		}
		if !alive {
			d.t.Fatalf("the daemon has ended (%v) and never logged %s", d.cmd.ProcessState, pattern)
		}
		return fmt.Errorf("nothing in the log like %s", pattern)
	})
	return found
}

// addr is the address at which the daemon takes peers.
func (d *daemon) addr() addr.Addr {
	d.t.Helper()
	return addr.MustParse(d.logged(`p2p(?:: |","msg":")Listening.*?([a-z0-9+]+://[^\s"]+)`)[1])
}
