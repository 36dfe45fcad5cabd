package apptest

import (
	"context"
	"testing"
	"time"
)

// Patience is how long a test waits for what should come at once.
const Patience = 10 * time.Second

// Running is a program that runs in the process of the test, beside it.
type Running struct {
	Stdout, Stderr *Output            // what it writes; nil where nobody looks
	End            context.CancelFunc // ends its context

	t    testing.TB
	code int // once done is closed
	done chan struct{}
}

// Start runs a program until it ends by itself, by End, or with the test, which waits for it. What it
// writes is shown when it does not end as the test wants.
func Start(t testing.TB, stdout, stderr *Output, program func(context.Context) (code int)) *Running {
	ctx, end := context.WithCancel(t.Context())
	r := &Running{Stdout: stdout, Stderr: stderr, End: end, t: t, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.code = program(ctx)
	}()
	t.Cleanup(func() {
		end()
		<-r.done
	})
	return r
}

// Wait waits for the end, and returns the exit code; after Patience the test fails.
func (r *Running) Wait() (code int) {
	r.t.Helper()
	select {
	case <-r.done:
	case <-time.After(Patience):
		r.t.Fatalf("still running\nstdout:\n%s\nstderr:\n%s", r.Stdout, r.Stderr)
	}
	return r.code
}

// WantExit waits for the end, and checks the exit code.
func (r *Running) WantExit(code int) {
	r.t.Helper()
	if got := r.Wait(); got != code {
		r.t.Errorf("exit code %d, want %d\nstdout:\n%s\nstderr:\n%s", got, code, r.Stdout, r.Stderr)
	}
}
