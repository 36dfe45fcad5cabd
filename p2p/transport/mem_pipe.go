package transport

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// memPipe is one direction of a memConn: a bounded buffer between a writing and
// a reading end. All that waits, waits on one condition, and whoever changes
// anything wakes them all.
type memPipe struct {
	mu      sync.Mutex
	changed sync.Cond

	limit   int
	buf     []byte // what is buffered begins at start
	start   int
	writing bool // a Write is under way, which others do not break into

	ended         bool // nothing more is to be written
	writeClosed   bool // by the end that writes
	readClosed    bool // by the end that reads
	readDeadline  memDeadline
	writeDeadline memDeadline
}

func newMemPipe(limit int) *memPipe {
	p := &memPipe{limit: limit}
	p.changed.L = &p.mu
	return p
}

func (p *memPipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.readClosed:
			return 0, net.ErrClosed
		case p.readDeadline.expired:
			return 0, os.ErrDeadlineExceeded
		case len(b) == 0:
			return 0, nil
		case p.buffered() > 0:
			return p.take(b), nil
		case p.ended:
			return 0, io.EOF
		}
		p.changed.Wait()
	}
}

func (p *memPipe) write(b []byte) (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.writing && p.writable() == nil {
		p.changed.Wait()
	}
	if err := p.writable(); err != nil {
		return 0, err
	}
	p.writing = true
	defer func() {
		p.writing = false
		p.changed.Broadcast()
	}()
	for n < len(b) {
		if err := p.writable(); err != nil {
			return n, err
		}
		if room := p.limit - p.buffered(); room > 0 {
			part := b[n:min(n+room, len(b))]
			p.put(part)
			n += len(part)
			continue
		}
		p.changed.Wait()
	}
	return n, nil
}

// writable says why nothing can be written, or nil.
func (p *memPipe) writable() error {
	switch {
	case p.writeClosed:
		return net.ErrClosed
	case p.ended, p.readClosed:
		return os.NewSyscallError("write", syscall.EPIPE)
	case p.writeDeadline.expired:
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (p *memPipe) buffered() int { return len(p.buf) - p.start }

func (p *memPipe) put(b []byte) {
	if p.start > 0 && len(p.buf)+len(b) > cap(p.buf) {
		p.buf = p.buf[:copy(p.buf, p.buf[p.start:])]
		p.start = 0
	}
	p.buf = append(p.buf, b...)
	p.changed.Broadcast()
}

func (p *memPipe) take(b []byte) int {
	n := copy(b, p.buf[p.start:])
	p.start += n
	if p.start == len(p.buf) {
		p.buf, p.start = p.buf[:0], 0
	}
	p.changed.Broadcast()
	return n
}

// endWrite ends the stream: the reader gets to its end once it has read the rest.
func (p *memPipe) endWrite() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.writeClosed {
		return net.ErrClosed
	}
	p.ended = true
	p.changed.Broadcast()
	return nil
}

// closeWrite is the end of the writing end.
func (p *memPipe) closeWrite() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.writeClosed {
		return net.ErrClosed
	}
	p.ended, p.writeClosed = true, true
	p.writeDeadline.stop()
	p.changed.Broadcast()
	return nil
}

// closeRead is the end of the reading end. What it has not read is lost.
func (p *memPipe) closeRead() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.readClosed {
		return net.ErrClosed
	}
	p.readClosed = true
	p.buf, p.start = nil, 0
	p.readDeadline.stop()
	p.changed.Broadcast()
	return nil
}

func (p *memPipe) setReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.readClosed {
		return net.ErrClosed
	}
	p.readDeadline.set(t, p)
	return nil
}

func (p *memPipe) setWriteDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.writeClosed {
		return net.ErrClosed
	}
	p.writeDeadline.set(t, p)
	return nil
}

// memDeadline is a deadline of one end of a pipe, under the pipe's lock.
type memDeadline struct {
	expired bool
	timer   *time.Timer // nil when there is nothing to wait for
}

func (d *memDeadline) set(t time.Time, p *memPipe) {
	d.stop()
	in := time.Until(t)
	d.expired = !t.IsZero() && in <= 0
	if !t.IsZero() && in > 0 {
		d.start(in, p)
	}
	p.changed.Broadcast()
}

func (d *memDeadline) start(in time.Duration, p *memPipe) {
	var timer *time.Timer
	timer = time.AfterFunc(in, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if d.timer == timer { // else it was replaced while it fired
			d.expired = true
			p.changed.Broadcast()
		}
	})
	d.timer = timer
}

func (d *memDeadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
