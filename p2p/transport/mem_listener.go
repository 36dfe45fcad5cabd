package transport

import (
	"context"
	"net"
	"sync"
	"syscall"

	"dchat/p2p/addr"
)

// memListener takes the connections to one endpoint of a Mem network. It
// implements Listener.
type memListener struct {
	mem  *Mem
	key  string // in mem.listeners
	addr addr.Addr

	queue     chan *memConn // connected, not yet accepted
	closeOnce sync.Once
	done      chan struct{} // closed when the listener is
}

// Addr is the address listened on.
func (l *memListener) Addr() addr.Addr { return l.addr }

// Accept takes the connection that has waited longest.
func (l *memListener) Accept() (Conn, error) {
	if !l.closed() {
		select {
		case conn := <-l.queue:
			return conn, nil
		case <-l.done:
		}
	}
	return nil, &net.OpError{Op: "accept", Net: "mem", Err: net.ErrClosed}
}

// Close also closes the connections that wait.
func (l *memListener) Close() error {
	err := net.ErrClosed
	l.closeOnce.Do(func() {
		err = nil
		l.mem.mu.Lock()
		delete(l.mem.listeners, l.key)
		l.mem.mu.Unlock()
		close(l.done)
		l.drain()
	})
	return err
}

// offer queues a connection to be accepted.
func (l *memListener) offer(ctx context.Context, conn *memConn) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case l.queue <- conn:
	case <-l.done:
		return syscall.ECONNREFUSED
	case <-ctx.Done():
		return ctx.Err()
	}
	if l.closed() {
		l.drain() // Close may have done so before the connection was queued
	}
	return nil
}

func (l *memListener) closed() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// drain closes what nobody will accept.
func (l *memListener) drain() {
	for {
		select {
		case conn := <-l.queue:
			_ = conn.Close() // it always succeeds the first time
		default:
			return
		}
	}
}
