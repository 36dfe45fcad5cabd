package jsonrpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// conn is one client of a line listener. Two goroutines serve it: read takes requests off the
// stream, work runs and answers them; every stream has one more. All of them end before serve does.
type conn struct {
	server *Server
	nc     net.Conn
	cancel context.CancelFunc // the client has gone
	queue  *queue
	tasks  sync.WaitGroup // read, and the streams

	writing  chan struct{} // holds a token while somebody writes
	streams  atomic.Int32
	drained  atomic.Bool // the client has closed its sending side
	patience *time.Timer // cancels when a request takes too long after that
}

// serveConn serves one client until it leaves, is refused, or ctx ends, and closes its connection.
func (s *Server) serveConn(ctx context.Context, nc net.Conn) {
	ended := make(chan struct{})
	defer close(ended)
	stop := context.AfterFunc(ctx, func() {
		_ = nc.SetReadDeadline(time.Now()) // wakes the reader
		select {
		case <-ended:
		case <-time.After(lingerTime):
			_ = nc.Close()
		}
	})
	defer stop()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &conn{server: s, nc: nc, cancel: cancel, queue: newQueue(), writing: make(chan struct{}, 1)}
	c.patience = time.AfterFunc(drainTimeout, cancel)
	c.patience.Stop()
	defer c.patience.Stop()

	c.tasks.Go(c.read)
	c.work(ctx)
	cancel() // ends the streams
	// The reader now throws away what still comes: closing with bytes unread would reset the
	// connection, and could take the last reply from a client that has not read it yet.
	if half, ok := nc.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = nc.SetReadDeadline(time.Now().Add(lingerTime))
	c.tasks.Wait()
	_ = nc.Close()
}

// read queues what the client sends, and tells how it ended.
func (c *conn) read() {
	lines := newLineReader(c.nc, c.server.cfg.MaxLine, func() {
		_ = c.nc.SetReadDeadline(time.Now().Add(largeTimeout))
	})
	err := c.readRequests(lines)
	c.queue.close()
	if err == nil {
		if _, err = io.Copy(io.Discard, lines.br); err == nil {
			err = io.EOF
		}
	}
	if !errors.Is(err, io.EOF) {
		c.cancel()
		return
	}
	c.drained.Store(true)
	c.patience.Reset(drainTimeout)
}

// readRequests queues requests until the stream ends, with its error, or until nothing further is
// to be run: nil.
func (c *conn) readRequests(lines *lineReader) error {
	for {
		item, err := c.readItem(lines)
		if err != nil {
			return err
		}
		if !c.queue.put(item) || item.isLast() {
			return nil
		}
	}
}

func (c *conn) readItem(lines *lineReader) (queued, error) {
	line, err := lines.next()
	if len(line) > largeLine {
		_ = c.nc.SetReadDeadline(time.Time{})
	}
	item := queued{size: len(line) + itemSize}
	switch {
	case errors.Is(err, errNotJSON):
		item.refusal = parseError(err.Error())
	case errors.Is(err, errLineTooLong):
		item.refusal = invalidRequest(err.Error())
	case err != nil:
		return queued{}, err
	default:
		item.req, item.refusal = parseRequest(line)
	}
	return item, nil
}

// work runs the queued requests one after the other.
func (c *conn) work(ctx context.Context) {
	defer c.queue.close()
	for {
		item, ok := c.queue.take()
		if !ok || ctx.Err() != nil {
			return
		}
		if item.refusal != nil {
			_ = c.write(encodeError(nil, item.refusal))
			return
		}
		if c.drained.Load() {
			c.patience.Reset(drainTimeout)
		}
		c.run(ctx, item.req)
	}
}

func (c *conn) run(ctx context.Context, req request) {
	out := c.server.run(ctx, req)
	if out.stream == nil {
		_ = c.write(out.text)
		return
	}
	if c.streams.Add(1) > maxStreams {
		out.text = encodeError(req.id, limitError("too many subscriptions on this connection"))
		ctx = ended(ctx)
	}
	_ = c.write(out.text)
	c.tasks.Go(func() {
		defer c.streams.Add(-1)
		if err := c.server.stream(ctx, req.method, out.stream, c.notify(req.method)); err != nil {
			c.hangUp()
		}
	})
}

func (c *conn) notify(method string) Notify {
	return func(params ...any) error {
		text, err := encodeNotification(method, params)
		if err != nil {
			return err
		}
		if err := c.write(text); err != nil {
			return fmt.Errorf("%w: %w", ErrDisconnected, err)
		}
		return nil
	}
}

// write sends one line, if there is text. A client that takes nothing is cut off. Any other error
// is left to the reader, who can tell a client that has sent all it had and left, whose requests
// are still run, from one that broke off.
func (c *conn) write(text []byte) error {
	if text == nil {
		return nil
	}
	c.writing <- struct{}{}
	defer func() { <-c.writing }()
	err := writeLine(c.nc, text, c.server.cfg.WriteTimeout)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.hangUp()
	}
	return err
}

// hangUp closes the connection. Requests that came before a clean end are still run.
func (c *conn) hangUp() {
	_ = c.nc.Close()
	if !c.drained.Load() {
		c.cancel()
	}
}
