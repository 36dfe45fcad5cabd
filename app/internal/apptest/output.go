// Package apptest helps to test the programs.
package apptest

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// Output collects what a program writes, and waits for parts of it. It is safe for
// concurrent use; make it with NewOutput.
type Output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{} // closed at the next write
}

// NewOutput returns an Output that holds nothing yet.
func NewOutput() *Output { return &Output{written: make(chan struct{})} }

// Write collects p.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.written)
	o.written = make(chan struct{})
	return o.text.Write(p)
}

// String returns what was written.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// WaitFor waits until part has been written; after Patience the test fails.
func (o *Output) WaitFor(t testing.TB, part string) {
	t.Helper()
	timeout := time.After(Patience)
	for {
		o.mu.Lock()
		found, written := strings.Contains(o.text.String(), part), o.written
		o.mu.Unlock()
		if found {
			return
		}
		select {
		case <-written:
		case <-timeout:
			t.Fatalf("waited for %q, got:\n%s", part, o)
		}
	}
}
