package jsonrpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"dchat/p2p/addr"
)

// Errors of the client side beside [*Error], which is what the server answered. They come wrapped:
// compare with errors.Is.
var (
	// ErrUnreachable means that no server answers at the endpoint: nothing was run. It comes together
	// with ErrDisconnected when the connection had ended before the call.
	ErrUnreachable = errors.New("not reachable")
	// ErrDisconnected means that the connection ended before the reply: whether the request was run
	// is unknown.
	ErrDisconnected = errors.New("connection ended")
	// ErrProtocol means that the server sent something that is no answer to what was asked.
	ErrProtocol = errors.New("not a JSON-RPC server")
)

// The limits of a client.
const (
	dialTimeout  = 10 * time.Second
	sendTimeout  = 10 * time.Second // for every 64 KiB of a request to get out
	replyTimeout = time.Minute      // for a call whose context has no deadline
	maxReply     = 64 << 20         // longest line or response, in bytes
	maxSkipped   = 1024             // lines that are nobody's answer, before the one that is
)

// Client calls the methods of one server. All its methods may be called at the same time; calls are
// run one after the other.
type Client struct {
	endpoint addr.Addr
	link     link
	lastID   atomic.Int64
}

// link is how requests get to the server: over lines or HTTP.
type link interface {
	// call sends a request with that id and returns the answer to it.
	call(ctx context.Context, id int64, request []byte) (answer, error)
	// subscribe sends a request on a connection of its own, and returns when the server has taken
	// it.
	subscribe(ctx context.Context, id int64, request []byte) (*Subscription, error)
	close() error
}

// Dial connects to a server at tcp://, unix:// or http+tcp://, within 10 s. It returns
// ErrUnreachable when there is none; over HTTP that shows only at the first call.
func Dial(ctx context.Context, endpoint addr.Addr) (*Client, error) {
	c := &Client{endpoint: endpoint}
	switch endpoint.Scheme() {
	case addr.TCP, addr.Unix:
		line, err := dialLine(ctx, endpoint)
		if err != nil {
			return nil, err
		}
		c.link = line
	case addr.HTTPTCP:
		c.link = newHTTPLink(endpoint)
	default:
		return nil, fmt.Errorf("cannot connect to %s: want tcp://, unix:// or http+tcp://", endpoint.Redacted())
	}
	return c, nil
}

// Call calls a method and decodes its result into what result points to, or nowhere when that is
// nil. Params are what encodes to a JSON array or object; nil is an empty array. It waits as long
// as ctx lets it, at most a minute when ctx has no deadline. The error is what the server answered
// (an [*Error]), ErrUnreachable, ErrDisconnected, ErrProtocol, or ctx's. After ErrDisconnected over
// lines every further call fails: dial anew.
func (c *Client) Call(ctx context.Context, method string, params, result any) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, replyTimeout)
		defer cancel()
	}
	id, request, err := c.encode(method, params)
	if err != nil {
		return err
	}
	a, err := c.link.call(ctx, id, request)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if a.Error != nil {
		return fmt.Errorf("%s: %w", method, a.Error.typed())
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(a.Result, result); err != nil {
		return fmt.Errorf("%s: %w: %w", method, ErrProtocol, err)
	}
	return nil
}

// Subscribe calls a method that goes on to send notifications, on a connection of its own. It
// returns when the server has taken the request, so nothing that happens from then on is missed.
// Errors are those of Call; over lines, when the client's own connection has ended, the subscription
// fails too, rather than be with another server than the calls were. Once made it lives until it is
// closed, also longer than ctx and the client.
func (c *Client) Subscribe(ctx context.Context, method string, params any) (*Subscription, error) {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	id, request, err := c.encode(method, params)
	if err != nil {
		return nil, err
	}
	s, err := c.link.subscribe(ctx, id, request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	return s, nil
}

// Close ends the client's connection. Calls under way return ErrDisconnected, but over HTTP, where
// each has a connection of its own, they go on; there must be no later ones.
func (c *Client) Close() error { return c.link.close() }

// Subscription is a stream of notifications. Next must not be called by two goroutines at once;
// Close may be called at any time.
//
// What is not fetched waits in the server's socket buffers; a server may leave out, or cut off, who
// does not keep up.
type Subscription struct {
	in    *pump
	first json.RawMessage // the notification that showed that the request was taken, or nil
}

// Next waits for the next notification and returns its params: valid JSON, by convention an array.
// ctx's error leaves the subscription as it is; after ErrDisconnected or ErrProtocol there is no
// more.
func (s *Subscription) Next(ctx context.Context) (json.RawMessage, error) {
	if params := s.first; params != nil {
		s.first = nil
		return params, nil
	}
	for {
		line, err := s.in.next(ctx)
		if err != nil {
			return nil, err
		}
		a, err := parseAnswer(line)
		switch {
		case err != nil:
			return nil, err
		case a.Method != "":
			return a.Params, nil
		case a.isRefusal():
			return nil, a.Error.typed()
		}
	}
}

// Close ends the subscription and its connection.
func (s *Subscription) Close() error { return s.in.close() }

func (c *Client) encode(method string, params any) (int64, []byte, error) {
	id := c.lastID.Add(1)
	text := json.RawMessage("[]")
	if params != nil {
		var err error
		if text, err = json.Marshal(params); err != nil {
			return 0, nil, fmt.Errorf("%s: params: %w", method, err)
		}
	}
	request, err := json.Marshal(callMessage{version, id, method, text})
	return id, request, err
}

// answer is anything a server sends: a reply (with an id), or a notification (with a method).
type answer struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *answerError    `json:"error"`
}

type answerError struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

func (e *answerError) typed() *Error {
	typed := &Error{Code: e.Code, Message: e.Message}
	if e.Data != nil {
		typed.Data = e.Data
	}
	return typed
}

func parseAnswer(line []byte) (answer, error) {
	var a answer
	if err := json.Unmarshal(line, &a); err != nil {
		return answer{}, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return a, nil
}

// isFor tells whether a is the reply to the request with that id. A refusal, which carries no id,
// is the reply to whatever was sent last.
func (a answer) isFor(id int64) bool {
	got, err := json.Number(a.ID).Int64()
	return a.Method == "" && err == nil && got == id || a.isRefusal()
}

// isRefusal tells whether a says why the connection is being closed.
func (a answer) isRefusal() bool {
	return a.Method == "" && a.Error != nil && (len(a.ID) == 0 || string(a.ID) == "null")
}

// dial connects to an endpoint.
func dial(ctx context.Context, endpoint addr.Addr) (net.Conn, error) {
	network, target := "tcp", endpoint.HostPort()
	if path, ok := endpoint.FilePath(); ok {
		network, target = "unix", path
	}
	nc, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, target)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%s: %w: %w", endpoint.Redacted(), ErrUnreachable, err)
	}
	return nc, err
}
