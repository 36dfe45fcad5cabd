package jsonrpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"dchat/p2p/addr"
)

// lineLink sends requests over a connection to a line listener, and connects anew when that one is
// known to have ended.
type lineLink struct {
	endpoint addr.Addr
	turn     chan struct{} // holds a token while somebody has a call under way

	mu     sync.Mutex
	conn   *lineConn // replaced only by who has the turn
	closed bool
}

// lineConn is one connection. It is for one call at a time.
type lineConn struct {
	nc net.Conn
	in *pump
}

func newLineLink(endpoint addr.Addr, conn *lineConn) *lineLink {
	return &lineLink{endpoint: endpoint, turn: make(chan struct{}, 1), conn: conn}
}

func dialLine(ctx context.Context, endpoint addr.Addr) (*lineConn, error) {
	nc, err := dial(ctx, endpoint)
	if err != nil {
		return nil, err
	}
	return newLineConn(nc), nil
}

func newLineConn(nc net.Conn) *lineConn { return &lineConn{nc, newPump(nc)} }

func (l *lineLink) call(ctx context.Context, id int64, request []byte) (answer, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
	conn, err := l.connected(ctx)
	if err != nil {
		return answer{}, err
	}
	if err := conn.send(ctx, request); err != nil {
		return answer{}, err
	}
	return conn.await(ctx, func(a answer) bool { return a.isFor(id) })
}

// connected returns the connection, or a new one when it has ended: what has not been sent can
// safely be sent to another.
func (l *lineLink) connected(ctx context.Context) (*lineConn, error) {
	l.mu.Lock()
	conn, closed := l.conn, l.closed
	l.mu.Unlock()
	if err := conn.in.failure(); closed || !errors.Is(err, ErrDisconnected) {
		return conn, err
	}
	renewed, err := dialLine(ctx, l.endpoint)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = renewed.in.close()
		return nil, fmt.Errorf("%w: %w", ErrDisconnected, net.ErrClosed)
	}
	_ = conn.in.close()
	l.conn = renewed
	return renewed, nil
}

func (l *lineLink) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return l.conn.in.close()
}

// subscribe tells that the request was taken by the first thing that the server sends. That may be
// a reply or a notification; as there may be neither, a second request is sent behind the first,
// whose method no server has: requests are run in order, and this one is answered.
func (l *lineLink) subscribe(ctx context.Context, id int64, request []byte) (*Subscription, error) {
	own, err := dialLine(ctx, l.endpoint)
	if err != nil {
		return nil, err
	}
	first, err := own.begin(ctx, id, request)
	if err == nil && first.isFor(id) && first.Error != nil {
		err = first.Error.typed()
	}
	if err != nil {
		_ = own.in.close()
		return nil, err
	}
	s := &Subscription{in: own.in}
	if first.Method != "" {
		s.first = first.Params
	}
	return s, nil
}

func (c *lineConn) begin(ctx context.Context, id int64, request []byte) (answer, error) {
	probe, err := json.Marshal(callMessage{version, -id, "", json.RawMessage("[]")})
	if err != nil {
		return answer{}, err
	}
	if err := c.send(ctx, slices.Concat(request, []byte("\r\n"), probe)); err != nil {
		return answer{}, err
	}
	return c.await(ctx, func(a answer) bool { return a.Method != "" || a.isFor(id) || a.isFor(-id) })
}

// send writes a request. When it fails, a part of the request may be on its way, so the connection
// is of no further use.
func (c *lineConn) send(ctx context.Context, request []byte) error {
	timeout := sendTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline))
	}
	if err := writeLine(c.nc, request, timeout); err != nil {
		_ = c.nc.Close()
		return fmt.Errorf("%w: %w", ErrDisconnected, err)
	}
	return nil
}

// await reads until something comes that is wanted. What else there is, such as the replies to
// calls that were given up, is passed by.
func (c *lineConn) await(ctx context.Context, wanted func(answer) bool) (answer, error) {
	for range maxSkipped {
		line, err := c.in.next(ctx)
		if err != nil {
			return answer{}, err
		}
		a, err := parseAnswer(line)
		if err != nil || wanted(a) {
			return a, err
		}
	}
	_ = c.nc.Close()
	return answer{}, fmt.Errorf("%w: too much that was not asked for", ErrProtocol)
}
