package jsonrpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"dchat/p2p/addr"
)

// lineLink is a connection to a line listener.
type lineLink struct {
	endpoint addr.Addr
	turn     chan struct{} // holds a token while somebody has a call under way
	nc       net.Conn
	in       *pump
}

func dialLine(ctx context.Context, endpoint addr.Addr) (*lineLink, error) {
	nc, err := dial(ctx, endpoint)
	if err != nil {
		return nil, err
	}
	return newLineLink(endpoint, nc), nil
}

func newLineLink(endpoint addr.Addr, nc net.Conn) *lineLink {
	return &lineLink{endpoint: endpoint, turn: make(chan struct{}, 1), nc: nc, in: newPump(nc)}
}

func (l *lineLink) call(ctx context.Context, id int64, request []byte) (answer, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
	if err := l.in.failure(); errors.Is(err, ErrDisconnected) {
		return answer{}, fmt.Errorf("%w: %w", ErrUnreachable, err) // nothing has been sent
	} else if err != nil {
		return answer{}, err
	}
	if err := l.send(ctx, request); err != nil {
		return answer{}, err
	}
	return l.await(ctx, func(a answer) bool { return a.isFor(id) })
}

func (l *lineLink) close() error { return l.in.close() }

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
	if err == nil {
		err = l.in.failure() // the calls were with a server that has ended, and this is another
	}
	if err != nil {
		_ = own.close()
		return nil, err
	}
	s := &Subscription{in: own.in}
	if first.Method != "" {
		s.first = first.Params
	}
	return s, nil
}

func (l *lineLink) begin(ctx context.Context, id int64, request []byte) (answer, error) {
	probe, err := json.Marshal(callMessage{version, -id, "", json.RawMessage("[]")})
	if err != nil {
		return answer{}, err
	}
	if err := l.send(ctx, slices.Concat(request, []byte(lineEnd), probe)); err != nil {
		return answer{}, err
	}
	return l.await(ctx, func(a answer) bool { return a.Method != "" || a.isFor(id) || a.isFor(-id) })
}

// send writes a request. When it fails, a part of the request may be on its way, so the connection
// is of no further use.
func (l *lineLink) send(ctx context.Context, request []byte) error {
	timeout := sendTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline))
	}
	if err := writeChunks(l.nc, append(request, lineEnd...), timeout); err != nil {
		_ = l.nc.Close()
		return fmt.Errorf("%w: %w", ErrDisconnected, err)
	}
	return nil
}

// await reads until something comes that is wanted. What else there is, such as the replies to
// calls that were given up, is passed by.
func (l *lineLink) await(ctx context.Context, wanted func(answer) bool) (answer, error) {
	for range maxSkipped {
		line, err := l.in.next(ctx)
		if err != nil {
			return answer{}, err
		}
		a, err := parseAnswer(line)
		if err != nil || wanted(a) {
			return a, err
		}
	}
	_ = l.nc.Close()
	return answer{}, fmt.Errorf("%w: too much that was not asked for", ErrProtocol)
}
