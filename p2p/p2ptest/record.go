package p2ptest

import (
	"errors"
	"io"
	"slices"
	"sync"
	"time"
)

// Recording is what a node sends over one connection, as it comes. Its methods
// may be called from any goroutine.
type Recording struct {
	done chan struct{}

	mu       sync.Mutex
	messages []Recorded
	end      error
	endAt    time.Time
}

// Recorded is a message and when it came.
type Recorded struct {
	Message
	At time.Time
}

// Record begins to read in the background, until the node ends the connection,
// which is then closed at this end too; the other methods that read must not be
// used any more. The test waits for it at its end.
func (p *Peer) Record() *Recording {
	r := &Recording{done: make(chan struct{})}
	p.t.Cleanup(func() {
		_ = p.conn.Close() // may be closed already
		<-r.done
	})
	go r.run(p)
	return r
}

func (r *Recording) run(p *Peer) {
	defer close(r.done)
	defer p.Close(false)
	for {
		m, err := p.read(time.Time{})
		r.mu.Lock()
		if err != nil {
			r.end, r.endAt = err, time.Now()
			r.mu.Unlock()
			return
		}
		r.messages = append(r.messages, Recorded{m, time.Now()})
		r.mu.Unlock()
	}
}

// Messages returns what has come so far.
func (r *Recording) Messages() []Recorded {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.messages)
}

// Commands returns the commands of what has come so far.
func (r *Recording) Commands() []string {
	var commands []string
	for _, m := range r.Messages() {
		commands = append(commands, m.Command)
	}
	return commands
}

// Done is closed when the connection has ended.
func (r *Recording) Done() <-chan struct{} { return r.done }

// Ended reports whether and when the connection has ended, and whether that was
// between two frames. A reset counts as an end like any other.
func (r *Recording) Ended() (at time.Time, clean, ended bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.endAt, !errors.Is(r.end, io.ErrUnexpectedEOF), r.end != nil
}
