package transport

import (
	"net"
	"time"

	"github.com/quic-go/quic-go"
)

// Close ends our half of the stream and leaves the connection a moment, in which what
// was written arrives and the peer closes; nobody waits for that but Settle. When
// nothing can be lost, or the stream is broken anyhow, the connection ends at once.
func (c *quicConn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return c.wrap("close", net.ErrClosed)
	}
	c.closed = true
	stream := c.stream
	c.mu.Unlock()
	if !c.closing() {
		return nil
	}
	if stream == nil {
		c.stop(quicDone)
		return nil
	}
	_ = stream.SetDeadline(time.Unix(1, 0)) // gets a Read and a Write out; it never fails
	c.sending.Lock()
	defer c.sending.Unlock()
	switch {
	case c.cut:
		c.stop(quicCut)
	case !c.isUnsure():
		c.stop(quicDone)
	default:
		_ = stream.Close() // it fails only when the peer wants no more
		c.lingerOn(stream)
	}
	return nil
}

// closing has Settle know of a connection that was closed, and reports whether there is
// anything left of it.
func (c *quicConn) closing() bool {
	q := c.socket.quic
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-c.gone:
		return false
	default:
	}
	if q.closing == nil {
		q.closing = make(map[*quicConn]struct{})
	}
	q.closing[c] = struct{}{}
	return true
}

func (c *quicConn) lingerOn(stream *quic.Stream) {
	c.mu.Lock()
	if c.conn.Context().Err() == nil {
		c.linger = time.AfterFunc(quicLinger, func() { c.stop(quicDone) })
	}
	c.mu.Unlock()
	stream.SetReceiveFinalSizeCallback(func(int64) { c.hasten() })
}

// hasten shortens the wait for a peer that has ended its half: it may have closed, and
// then waits for us as we do for it, or it may have something left to read.
func (c *quicConn) hasten() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.linger != nil && c.linger.Stop() {
		c.linger.Reset(quicGrace)
	}
}

// stop ends the connection and tells the peer.
func (c *quicConn) stop(code quic.ApplicationErrorCode) {
	_ = c.conn.CloseWithError(code, "") // it always succeeds
}

// ended is called when the connection has ended, whoever has ended it.
func (c *quicConn) ended() {
	c.mu.Lock()
	if c.linger != nil {
		c.linger.Stop()
	}
	c.mu.Unlock()
	q := c.socket.quic
	q.mu.Lock()
	defer q.mu.Unlock()
	c.socket.leave()
	delete(q.closing, c)
	close(c.gone)
}
