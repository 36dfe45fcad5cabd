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

	huge     bool          // what is read has a place among the huge requests; of read alone
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

	c.tasks.Go(func() { c.read(ctx) })
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
func (c *conn) read(ctx context.Context) {
	lines := newLineReader(c.nc, c.server.cfg.MaxLine, func(limit int) (err error) {
		if limit == hugeLine {
			err = c.server.enterHuge(ctx)
			c.huge = err == nil
		}
		return errors.Join(err, c.nc.SetReadDeadline(time.Now().Add(largeTimeout)))
	})
	err := c.readRequests(ctx, lines)
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
func (c *conn) readRequests(ctx context.Context, lines *lineReader) error {
	for {
		last, err := c.readRequest(ctx, lines)
		if err != nil || last {
			return err
		}
	}
}

// readRequest queues one request, and waits until a huge one has been run, which then lets
// another one in.
func (c *conn) readRequest(ctx context.Context, lines *lineReader) (last bool, err error) {
	defer func() {
		if c.huge {
			c.huge = false
			c.server.leaveHuge()
		}
	}()
	item, err := c.readItem(lines)
	if err != nil {
		return false, err
	}
	if c.huge {
		item.done = make(chan struct{})
	}
	if !c.queue.put(item) || item.isLast() {
		return true, nil
	}
	if c.huge {
		select {
		case <-item.done:
		case <-ctx.Done():
		}
	}
	return false, nil
}

func (c *conn) readItem(lines *lineReader) (queued, error) {
	line, err := lines.next()
	if len(line) > largeLine-len(lineEnd) { // its end counts for what it had grown to
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
			c.reply(encodeError(nil, item.refusal))
			return
		}
		if c.drained.Load() {
			c.patience.Reset(drainTimeout)
		}
		out := c.server.run(ctx, item.req)
		item.req.params = nil // the answer needs nothing of the line, and may be read slowly
		if item.done != nil {
			close(item.done)
		}
		c.answer(ctx, item.req, out)
	}
}

func (c *conn) answer(ctx context.Context, req request, out outcome) {
	switch {
	case out.stream != nil:
		c.stream(ctx, req, out)
	case out.list != nil:
		err := c.server.produce(ctx, req.method, func() error {
			return c.turn(func() error { return sendList(req.id, out.list, c.send) })
		})
		if err != nil {
			c.hangUp()
		}
	default:
		c.reply(out.text)
	}
}

func (c *conn) stream(ctx context.Context, req request, out outcome) {
	if c.streams.Add(1) > maxStreams {
		out.text = encodeError(req.id, limitError("too many subscriptions on this connection"))
		ctx = ended(ctx)
	}
	c.reply(out.text)
	method := req.method // alone, not what came with it
	notify := c.notify(method)
	c.tasks.Go(func() {
		defer c.streams.Add(-1)
		err := c.server.produce(ctx, method, func() error { return out.stream(ctx, notify) })
		if err != nil {
			c.hangUp()
		}
	})
}

// ended gives a context that has ended.
func ended(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

// notify encodes what it is given only when it can be sent, so that many streams that wait for a
// slow client do not each hold a long text.
func (c *conn) notify(method string) Notify {
	return func(params ...any) error {
		return c.turn(func() error {
			text, err := encodeNotification(method, params)
			if err != nil {
				return err
			}
			return c.send(text, true)
		})
	}
}

// reply sends the text of a reply, if there is one.
func (c *conn) reply(text []byte) {
	if text != nil {
		_ = c.turn(func() error { return c.send(text, true) })
	}
}

// turn runs what sends one line, while nobody else sends.
func (c *conn) turn(sendLine func() error) error {
	c.writing <- struct{}{}
	defer func() { <-c.writing }()
	return sendLine()
}

// send is the sendPart of a line. A client that takes nothing is cut off. Any other error is left
// to the reader, who can tell a client that has sent all it had and left, whose requests are still
// run, from one that broke off.
func (c *conn) send(part []byte, last bool) error {
	if last {
		part = append(part, lineEnd...)
	}
	err := writeChunks(c.nc, part, c.server.cfg.WriteTimeout)
	if err == nil {
		return nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.hangUp()
	}
	return fmt.Errorf("%w: %w", ErrDisconnected, err)
}

// hangUp closes the connection. Requests that came before a clean end are still run.
func (c *conn) hangUp() {
	_ = c.nc.Close()
	if !c.drained.Load() {
		c.cancel()
	}
}
