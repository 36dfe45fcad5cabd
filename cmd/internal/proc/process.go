package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dchat/p2p/addr"
)

// Process is a program that runs, or has run.
type Process struct {
	T    testing.TB // launched it, and fails with it
	Home string     // where ~ is
	RPC  addr.Addr  // where it answers JSON-RPC; to be set by the test if the port was any

	program        string
	cmd            *exec.Cmd
	stdout, stderr output
	ended          chan struct{} // closed when it has been waited for
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

// Pid is the number of the process.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Stdout is what it has written to standard output so far.
func (p *Process) Stdout() string { return p.stdout.String() }

// Stderr is what it has written to standard error so far, which is its log.
func (p *Process) Stderr() string { return p.stderr.String() }

// LogTail is the end of the log, up to 4 KiB.
func (p *Process) LogTail() string {
	log := p.Stderr()
	return log[max(0, len(log)-4<<10):]
}

// Logged waits until the log matches a regular expression, and returns the submatches.
func (p *Process) Logged(pattern string) []string {
	p.T.Helper()
	re := regexp.MustCompile(pattern)
	var found []string
	Eventually(p.T, Patience, func() error {
		alive := p.running()
		if found = re.FindStringSubmatch(p.Stderr()); found != nil {
			return nil
		}
		if !alive {
			p.T.Fatalf("%s has ended (%v) and never logged %s", p.program, p.cmd.ProcessState, pattern)
		}
		return fmt.Errorf("nothing in the log like %s", pattern)
	})
	return found
}

// Signal sends a signal, which is nothing to a process that has ended.
func (p *Process) Signal(sig os.Signal) {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.T.Errorf("sending %v: %v", sig, err)
	}
}

// Kill is kill -9.
func (p *Process) Kill() {
	p.Signal(os.Kill)
	<-p.ended
}

// Stop ends it cleanly.
func (p *Process) Stop() {
	p.T.Helper()
	p.Signal(syscall.SIGTERM)
	if code := p.Exit(); code != 0 {
		p.T.Fatalf("%s stopped with status %d", p.program, code)
	}
}

// Exit waits for the process to end by itself, and returns its status: its exit code, or minus the
// number of the signal that killed it.
func (p *Process) Exit() int {
	p.T.Helper()
	select {
	case <-p.ended:
	case <-time.After(Patience):
		p.T.Fatalf("%s has not ended within %v", p.program, Patience)
	}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return -int(status.Signal())
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *Process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// crashed finds in the output of a process what must never be there.
var crashed = regexp.MustCompile(`(?m)^(panic:|fatal error:|goroutine \d+|runtime error|WARNING: DATA RACE)|panicked|"panic"|SIGQUIT: quit`)

func (p *Process) cleanUp() {
	if p.running() {
		p.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(Patience, p.Kill)
		defer timer.Stop()
		<-p.ended
		if state := p.cmd.ProcessState; state.ExitCode() != 0 {
			p.T.Errorf("%s did not stop as it should at the end of the test: %v", p.program, state)
		}
	}
	if bad := crashed.FindString(p.Stderr()); bad != "" {
		p.T.Errorf("%s crashed: %s", p.program, bad)
	}
	if p.T.Failed() {
		p.T.Logf("what %s wrote:\n%s", p.program, p.LogTail())
	}
}

// Eventually waits until check returns nil.
func Eventually(t testing.TB, within time.Duration, check func() error) {
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
