package transport

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/quic-go/quic-go"
)

// errNoStream says that the handshake is not done.
var errNoStream = errors.New("the peer has not opened the stream yet")

// begin waits for the stream of an accepted connection. It ends with the connection at
// the latest.
func (c *quicConn) begin() {
	defer close(c.begun)
	stream, err := c.conn.AcceptStream(context.Background())
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.noStream = err // the connection itself may be about to end still, and not know why
		return
	}
	c.stream = stream
	_ = stream.SetReadDeadline(c.reading.at) // they never fail
	_ = stream.SetWriteDeadline(c.writing.at)
}

// Handshake implements Handshaker: it waits for the first bytes of the stream.
func (c *quicConn) Handshake(ctx context.Context) error {
	var err error
	select {
	case <-c.begun:
		_, err = c.streamOrCause()
	case <-ctx.Done():
		err = ctx.Err()
		c.stop(quicDone)
	}
	if err != nil {
		if err = c.opError("handshake", err); errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return &Error{opHandshake, c.peer, err}
	}
	return nil
}

// streamOrCause is the stream, once begun, or why there is none.
func (c *quicConn) streamOrCause() (*quic.Stream, error) {
	if c.stream == nil {
		return nil, quicCause(c.noStream)
	}
	return c.stream, nil
}

// await waits for the stream until a deadline.
func (c *quicConn) await(d *quicDeadline) (*quic.Stream, error) {
	for {
		select {
		case <-c.begun:
			return c.streamOrCause()
		default:
		}
		at, moved := c.deadline(d)
		var timeout <-chan time.Time
		if !at.IsZero() {
			timeout = time.After(time.Until(at))
		}
		select {
		case <-c.begun:
		case <-moved:
		case <-timeout:
			return nil, os.ErrDeadlineExceeded
		}
	}
}

func (c *quicConn) deadline(d *quicDeadline) (at time.Time, moved <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d.moved == nil {
		d.moved = make(chan struct{})
	}
	return d.at, d.moved
}

// quicDeadline is a deadline of a connection that has no stream yet, under its lock.
type quicDeadline struct {
	at    time.Time
	moved chan struct{} // closed when at is another; nil when nobody waits for it
}

func (d *quicDeadline) set(at time.Time) {
	d.at = at
	if d.moved != nil {
		close(d.moved)
		d.moved = nil
	}
}
