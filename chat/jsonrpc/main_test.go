package jsonrpc

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"dchat/p2p/addr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The methods of the tests have the names and the params of a chat daemon's, so that its recorded
// dialogues can be replayed.
type fakeDaemon struct {
	calls atomic.Int32 // of ping and send
	sent  chan string  // texts of send, when not nil
	block chan struct{}
	began chan struct{} // closed when block was called, when not nil
	ended chan struct{} // closed when a blocked call's context ended, when not nil
}

func (f *fakeDaemon) methods() map[string]Handler {
	return map[string]Handler{
		"ping": func(context.Context, *Call) (any, error) {
			f.calls.Add(1)
			return "pong", nil
		},
		"send": func(_ context.Context, c *Call) (any, error) {
			f.calls.Add(1)
			var text string
			if err := c.FirstArgs(&text); err != nil {
				return nil, err
			}
			if f.sent != nil {
				f.sent <- text
			}
			return true, nil
		},
		"recv":   func(context.Context, *Call) (any, error) { return []string{""}, nil },
		"spawns": func(context.Context, *Call) (any, error) { return map[string]any{"spawns": []any{}}, nil },
		"p2p.get_info": func(context.Context, *Call) (any, error) {
			return map[string]any{"channels": []any{}, "outbound_slots": []any{}}, nil
		},
		"dnet.switch": func(_ context.Context, c *Call) (any, error) {
			var on bool
			return true, c.Args(&on)
		},
		"dnet.subscribe_events": func(_ context.Context, c *Call) (any, error) {
			c.Stream(func(ctx context.Context, _ Notify) error {
				<-ctx.Done()
				return ctx.Err()
			})
			return NoReply{}, c.Args()
		},
		"block": func(ctx context.Context, _ *Call) (any, error) {
			if f.began != nil {
				close(f.began)
			}
			select {
			case <-f.block:
				return "done", nil
			case <-ctx.Done():
				if f.ended != nil {
					close(f.ended)
				}
				return nil, ctx.Err()
			}
		},
	}
}

func newServer(t *testing.T, cfg Config, methods map[string]Handler) *Server {
	t.Helper()
	if cfg.Listen.IsZero() {
		cfg.Listen = addr.MustParse("tcp://127.0.0.1:0")
	}
	if cfg.Log == nil {
		cfg.Log = zaptest.NewLogger(t)
	}
	s, err := New(cfg, methods)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// startServer starts a server that is stopped with the test.
func startServer(t *testing.T, cfg Config, methods map[string]Handler) *Server {
	t.Helper()
	s := newServer(t, cfg, methods)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// connect opens a plain connection to s, for at most 20 s.
func connect(t *testing.T, s *Server) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", s.Addr().HostPort())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return nc
}

func write(t *testing.T, nc net.Conn, text string) {
	t.Helper()
	if _, err := nc.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

// pipe serves one client in the bubble of a test.
type pipe struct {
	client net.Conn
	in     *bufio.Reader
	ended  chan struct{} // closed when the server is done with the client
}

func servePipe(ctx context.Context, s *Server) *pipe {
	client, server := net.Pipe()
	p := &pipe{client: client, in: bufio.NewReader(client), ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		s.serveConn(ctx, server)
	}()
	return p
}

// send writes without waiting for the server to read.
func (p *pipe) send(text string) {
	go func() { _, _ = p.client.Write([]byte(text)) }()
}

// want reads the next line and compares it as JSON.
func (p *pipe) want(t *testing.T, want string) {
	t.Helper()
	got, err := p.in.ReadString('\n')
	if err != nil {
		t.Fatalf("%v, want %s", err, want)
	}
	wantJSON(t, lines(t, got)[0], want)
}

func (p *pipe) hasEnded() bool {
	synctest.Wait()
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// closeAndWait ends a test's client.
func (p *pipe) closeAndWait() {
	_ = p.client.Close()
	<-p.ended
}

// call is the line of a request.
func call(id int, method string, params ...any) string {
	if params == nil {
		params = []any{}
	}
	text, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": id, "method": method, "params": params})
	if err != nil {
		panic(err)
	}
	return string(text) + "\n"
}

func pong(id int) string { return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":"pong"}`, id) }

// wantJSON compares as JSON, and leaves out the detail of errors, which the reference does not
// have.
func wantJSON(t *testing.T, got, want string) {
	t.Helper()
	if normal(t, got) != normal(t, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func normal(t *testing.T, text string) string {
	t.Helper()
	var value map[string]any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Errorf("%q: %v", text, err)
	}
	if e, ok := value["error"].(map[string]any); ok {
		delete(e, "data")
	}
	out, _ := json.Marshal(value)
	return string(out)
}

// lines cuts what a server sent, and sees that every line ends in \r\n and holds no other line end.
func lines(t *testing.T, text string) []string {
	t.Helper()
	if text == "" {
		return nil
	}
	whole, ok := strings.CutSuffix(text, "\r\n")
	if !ok || strings.Count(whole, "\n") != strings.Count(whole, "\r\n") {
		t.Errorf("lines do not end in CR LF: %q", text)
	}
	return strings.Split(whole, "\r\n")
}
