package channel

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"dchat/p2p/transport"
)

const (
	// chunk is the most that one write takes, and what must be accepted within
	// one write timeout: with 10 s that asks for 3.2 KiB/s of a peer.
	chunk = 32 << 10
	// urgentLimit bounds, in bytes, the frames that go before all others. They
	// are few and tiny: ping, pong, version, verack.
	urgentLimit = 16 << 10
	// stalled is how long a peer may accept nothing before senders stop waiting
	// for it to make room.
	stalled = 2 * time.Second
)

var chunks = sync.Pool{New: func() any { b := make([]byte, 0, chunk); return &b }}

// sendQueue holds the frames that wait for one connection, bounded in bytes. A
// goroutine writes them out for as long as there are any, many in one write; an
// idle queue has no goroutine and no buffer.
type sendQueue struct {
	conn    transport.Conn
	limit   int           // bytes that may wait
	timeout time.Duration // for one chunk
	count   *counters
	failed  func(error) // the connection is broken; called once, from the writer
	run     func()      // write, bound once so that starting it allocates nothing

	bytes atomic.Int64 // all that is not written yet; changed under mu

	mu       sync.Mutex
	urgent   ring
	normal   ring
	current  span // partly written; empty: none
	offset   int  // how much of it
	direct   bool // what is being written is a piece of it, not a copy
	closed   bool
	writing  bool          // a writer is at work
	progress time.Time     // when bytes last left, or the queue last became busy
	changed  chan struct{} // closed when bytes left or the writer ended; nil: nobody waits
	writer   sync.WaitGroup
}

func (q *sendQueue) init(conn transport.Conn, limit int, timeout time.Duration, count *counters, failed func(error)) {
	q.conn, q.limit, q.timeout, q.count, q.failed = conn, limit, timeout, count, failed
	q.run = q.write
}

// add queues a frame, and is a user of its block until it is sent. It never
// blocks.
func (q *sendQueue) add(f span, urgent bool) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	limit := q.limit
	if urgent {
		limit += urgentLimit
	}
	waiting := int(q.bytes.Load())
	if waiting > 0 && waiting+f.size() > limit {
		return ErrQueueFull
	}
	if urgent {
		q.urgent.push(f)
	} else {
		q.normal.push(f)
	}
	if waiting == 0 {
		q.progress = time.Now()
	}
	q.bytes.Store(int64(waiting + f.size()))
	if !q.writing {
		q.writing = true
		q.writer.Add(1)
		go q.run()
	}
	return nil
}

// write sends what is queued until nothing is left.
func (q *sendQueue) write() {
	defer q.writer.Done()
	buf := chunks.Get().(*[]byte)
	defer chunks.Put(buf)
	for {
		b := q.fill((*buf)[:0])
		if len(b) == 0 {
			return
		}
		if err := q.conn.SetWriteDeadline(time.Now().Add(q.timeout)); err != nil {
			q.fail(err)
			return
		}
		n, err := q.conn.Write(b)
		q.count.bytesOut.Add(uint64(n))
		if err != nil {
			q.fail(err)
			return
		}
		q.sent(n)
	}
}

// fill returns the bytes to write now: a piece of the frames that wait, where
// they are, when that is enough for one write, else copies of many in b. Without
// any the writer is at its end, which is decided under the lock so that no frame
// is left without a writer.
func (q *sendQueue) fill(b []byte) []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.current.size() == 0 && !q.next() {
		q.writing = false
		q.wake()
		return nil
	}
	q.lengthen()
	rest := q.current.bytes()[q.offset:]
	q.direct = len(rest) >= chunk/2 || q.urgent.n+q.normal.n == 0
	if q.direct {
		return rest[:min(len(rest), chunk)]
	}
	for len(b) < cap(b) && (q.current.size() > 0 || q.next()) {
		rest := q.current.bytes()[q.offset:]
		n := min(len(rest), cap(b)-len(b))
		b = append(b, rest[:n]...)
		q.advance(n)
	}
	return b
}

// next takes the frames to send now: the urgent ones go first, but never into the
// middle of another.
func (q *sendQueue) next() bool {
	s, ok := q.urgent.pop()
	if !ok {
		s, ok = q.normal.pop()
	}
	q.current, q.offset = s, 0
	return ok
}

// lengthen adds to the current frames those that follow them in their block too.
func (q *sendQueue) lengthen() {
	for q.urgent.n == 0 && q.normal.continues(q.current) {
		more, _ := q.normal.pop()
		q.current.end = more.end
		q.current.frames += more.frames
	}
}

// advance is done with n more bytes of the current frames.
func (q *sendQueue) advance(n int) {
	if q.offset += n; q.offset == q.current.size() {
		q.current.release()
		q.current = span{}
	}
}

func (q *sendQueue) sent(n int) {
	now := time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.direct {
		q.advance(n)
	}
	left := int(q.bytes.Add(int64(-n)))
	q.progress = now
	if left <= q.limit/2 { // sooner, those who wait would be woken for each chunk
		q.wake()
	}
}

// fail drops all that waits: nothing can be sent after a write that broke off.
func (q *sendQueue) fail(err error) {
	q.mu.Lock()
	q.closed, q.writing = true, false
	for ok := q.current.block != nil || q.next(); ok; ok = q.next() {
		q.current.release()
	}
	q.bytes.Store(0)
	q.wake()
	q.mu.Unlock()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = ErrWriteTimeout
	}
	q.failed(err)
}

func (q *sendQueue) wake() {
	if q.changed != nil {
		close(q.changed)
		q.changed = nil
	}
}

// close refuses further frames; what is queued still goes out.
func (q *sendQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

// dropRest drops the frames of which nothing has been written yet.
func (q *sendQueue) dropRest() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, frames := range []*ring{&q.urgent, &q.normal} {
		for f, ok := frames.pop(); ok; f, ok = frames.pop() {
			q.bytes.Add(int64(-f.size()))
			f.release()
		}
	}
}

// drain waits until everything queued is written, as long as the peer accepts a
// chunk within each patience and at most so long in all, and reports whether it
// is.
func (q *sendQueue) drain(patience, most time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	begin, empty := time.Now(), false
	q.wait(ctx, func() (bool, time.Duration) {
		empty = q.bytes.Load() == 0 && !q.writing
		last := q.progress
		if last.Before(begin) {
			last = begin
		}
		left := patience - time.Since(last)
		return empty || left <= 0, left
	})
	return empty
}

// room waits until n bytes fit, the queue is closed, or the peer has accepted
// nothing for so long that it is not worth the wait.
func (q *sendQueue) room(ctx context.Context, n int) {
	if q.fits(n) {
		return
	}
	q.wait(ctx, func() (bool, time.Duration) {
		if q.closed || q.fits(n) {
			return true, 0
		}
		patience := stalled - time.Since(q.progress)
		return patience <= 0, patience
	})
}

func (q *sendQueue) fits(n int) bool {
	waiting := int(q.bytes.Load())
	return waiting == 0 || waiting+n <= q.limit
}

// wait asks done, under the lock, each time the queue changes and again after
// the time that done names.
func (q *sendQueue) wait(ctx context.Context, done func() (bool, time.Duration)) {
	for {
		q.mu.Lock()
		ok, again := done()
		if ok {
			q.mu.Unlock()
			return
		}
		if q.changed == nil {
			q.changed = make(chan struct{})
		}
		changed := q.changed
		q.mu.Unlock()
		timer := time.NewTimer(again)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}
