package jsonrpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/addr"
)

func endpoints(t *testing.T) []string {
	return []string{"tcp://127.0.0.1:0", "http+tcp://127.0.0.1:0", "unix://" + filepath.Join(t.TempDir(), "s")}
}

// eachTransport runs test with a client of a server of the methods, over every scheme.
func eachTransport(t *testing.T, methods map[string]Handler, test func(t *testing.T, c *Client)) {
	t.Helper()
	for _, endpoint := range endpoints(t) {
		listen := addr.MustParse(endpoint)
		t.Run(listen.Scheme(), func(t *testing.T) {
			s := startServer(t, Config{Listen: listen}, methods)
			c, err := Dial(t.Context(), s.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			test(t, c)
		})
	}
}

func TestClientCall(t *testing.T) {
	methods := new(fakeDaemon).methods()
	methods["echo"] = func(_ context.Context, c *Call) (any, error) { return c.Params(), nil }
	methods["empty"] = func(context.Context, *Call) (any, error) {
		return nil, fmt.Errorf("x: %w", &Error{Code: -32010, Message: "no peers connected", Data: 3})
	}
	eachTransport(t, methods, func(t *testing.T, c *Client) {
		var got []string
		want := []string{"a", "\u2028\r\n\x00🦀"}
		if err := c.Call(t.Context(), "echo", want, &got); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("echo: %q, %v", got, err)
		}
		if err := c.Call(t.Context(), "echo", nil, &got); err != nil || len(got) != 0 {
			t.Errorf("no params: %q, %v", got, err)
		}
		if err := c.Call(t.Context(), "ping", nil, nil); err != nil {
			t.Errorf("result not wanted: %v", err)
		}
		if err := c.Call(t.Context(), "ping", nil, &got); !errors.Is(err, ErrProtocol) {
			t.Errorf("result of another type: %v", err)
		}
		for method, code := range map[string]int{"none": CodeMethodNotFound, "send": CodeInvalidParams, "empty": -32010} {
			e, ok := errors.AsType[*Error](c.Call(t.Context(), method, nil, nil))
			if !ok || e.Code != code {
				t.Errorf("%s: %v, want code %d", method, e, code)
			}
		}
		if err := c.Call(t.Context(), "ping", 5, nil); err == nil {
			t.Error("params that are a number were taken")
		}
	})
}

func TestClientIsConcurrent(t *testing.T) {
	methods := map[string]Handler{"echo": func(_ context.Context, c *Call) (any, error) { return c.Params(), nil }}
	eachTransport(t, methods, func(t *testing.T, c *Client) {
		var tasks sync.WaitGroup
		for i := range 20 {
			tasks.Go(func() {
				for range 10 {
					var got []int
					if err := c.Call(t.Context(), "echo", []int{i}, &got); err != nil || len(got) != 1 || got[0] != i {
						t.Errorf("%v, %v, want [%d]", got, err, i)
					}
				}
			})
		}
		tasks.Wait()
	})
}

// A call that was given up leaves nothing behind: the next one gets its own reply.
func TestCallGivenUp(t *testing.T) {
	daemon := &fakeDaemon{block: make(chan struct{}), began: make(chan struct{})}
	release := sync.OnceFunc(func() { close(daemon.block) })
	defer release()
	s := startServer(t, Config{}, daemon.methods())
	c, err := Dial(t.Context(), s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-daemon.began; cancel() }()
	if err := c.Call(ctx, "block", nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	release()
	var got string
	if err := c.Call(t.Context(), "ping", nil, &got); err != nil || got != "pong" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestUnreachable(t *testing.T) {
	for _, endpoint := range endpoints(t) {
		s := newServer(t, Config{Listen: addr.MustParse(endpoint)}, nil)
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		gone := s.Addr()
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := ping(t.Context(), gone); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), gone.Redacted()) {
			t.Errorf("%s: %v", gone, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := ping(ctx, gone); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnreachable) {
			t.Errorf("%s, given up: %v", gone, err)
		}
	}
	if _, err := Dial(t.Context(), addr.MustParse("tcp+tls://127.0.0.1:1")); err == nil {
		t.Error("connected to a scheme that is none of ours")
	}
}

func TestSubscription(t *testing.T) {
	var live atomic.Int32
	methods := new(fakeDaemon).methods()
	counter := func(reply any) Handler {
		return func(_ context.Context, c *Call) (any, error) {
			live.Add(1)
			c.Stream(func(ctx context.Context, notify Notify) error {
				defer live.Add(-1)
				for i := 0; ; i++ {
					if err := notify(i); err != nil {
						return err
					}
				}
			})
			return reply, nil
		}
	}
	methods["count"] = counter(NoReply{})
	methods["counted"] = counter("yes")
	eachTransport(t, methods, func(t *testing.T, c *Client) {
		for _, method := range []string{"count", "counted"} {
			sub, err := c.Subscribe(t.Context(), method, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 500 {
				params, err := sub.Next(t.Context())
				if err != nil || string(params) != fmt.Sprintf("[%d]", i) {
					t.Fatalf("%s, %v, want [%d]", params, err, i)
				}
			}
			if err := c.Call(t.Context(), "ping", nil, nil); err != nil {
				t.Errorf("call beside the subscription: %v", err)
			}
			for range 2 {
				_ = sub.Close()
			}
			if _, err := sub.Next(t.Context()); !errors.Is(err, ErrDisconnected) {
				t.Errorf("after Close: %v", err)
			}
		}
		for method, code := range map[string]int{"none": CodeMethodNotFound, "dnet.switch": CodeInvalidParams} {
			_, err := c.Subscribe(t.Context(), method, nil)
			if e, ok := errors.AsType[*Error](err); !ok || e.Code != code {
				t.Errorf("%s: %v, want code %d", method, err, code)
			}
		}
	})
	if n := live.Load(); n != 0 { // the servers have been stopped, which joins their streams
		t.Errorf("%d streams live", n)
	}
}

// Waiting for a notification can be given up, and taken up again.
func TestSubscriptionNextGivenUp(t *testing.T) {
	proceed := make(chan struct{})
	methods := map[string]Handler{
		"later": func(_ context.Context, c *Call) (any, error) {
			c.Stream(func(ctx context.Context, notify Notify) error {
				select {
				case <-proceed:
					return notify("now")
				case <-ctx.Done():
					return ctx.Err()
				}
			})
			return NoReply{}, nil
		},
	}
	eachTransport(t, methods, func(t *testing.T, c *Client) {
		sub, err := c.Subscribe(t.Context(), "later", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = sub.Close() }()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := sub.Next(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
		go func() { proceed <- struct{}{} }()
		if params, err := sub.Next(t.Context()); err != nil || string(params) != `["now"]` {
			t.Errorf("%s, %v", params, err)
		}
	})
}

// fakeServer answers the first line that it is sent with text, and closes.
func fakeServer(t *testing.T, text string) *Client {
	t.Helper()
	client, server := net.Pipe()
	go func() {
		reader := newLineReader(server, 1<<20, nil)
		if _, err := reader.next(); err == nil {
			_, _ = server.Write([]byte(text))
		}
		_ = server.Close()
	}()
	return pipeClient(client)
}

// pipeClient is a client on one end of a pipe. Nobody answers at its endpoint.
func pipeClient(nc net.Conn) *Client {
	return &Client{link: newLineLink(addr.MustParse("tcp://127.0.0.1:1"), nc)}
}

// What a server that is none of ours sends is an error, in bounded time and memory.
func TestHostileServer(t *testing.T) {
	notification := `{"jsonrpc":"2.0","method":"m","params":[1]}` + "\r\n"
	for _, test := range []struct {
		name, text string
		want       error
	}{
		{"closes", "", ErrDisconnected},
		{"closes inside a line", `{"id":1,"resu`, ErrProtocol},
		{"is a web server", "HTTP/1.1 400 Bad Request\r\n\r\n", ErrProtocol},
		{"says something else", "[1,2]\r\n", ErrProtocol},
		{"answers another request", `{"jsonrpc":"2.0","id":2,"result":1}` + "\r\n", ErrDisconnected},
		{"sends notifications without end", strings.Repeat(notification, maxSkipped+1), ErrProtocol},
		{"sends a line without end", `{"x":"` + strings.Repeat("x", maxReply), ErrProtocol},
		{"has a code that is no number", `{"id":1,"error":{"code":"x","message":"y"}}` + "\r\n", ErrProtocol},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := fakeServer(t, test.text)
			defer func() { _ = c.Close() }()
			if err := c.Call(t.Context(), "ping", nil, nil); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// A refusal that carries no id answers the call that it came for.
func TestRefusalWithoutID(t *testing.T) {
	c := fakeServer(t, `{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"limit reached","data":{"a":1}}}`+"\r\n")
	defer func() { _ = c.Close() }()
	e, ok := errors.AsType[*Error](c.Call(t.Context(), "ping", nil, nil))
	if !ok || e.Code != CodeLimit || e.Error() != `limit reached (-32000): {"a":1}` {
		t.Errorf("got %v", e)
	}
	if detail, ok := e.Data.(json.RawMessage); !ok || string(detail) != `{"a":1}` {
		t.Errorf("data %v", e.Data)
	}
}

// A call ends when its context does, after a minute when that has no end, and at once when the
// client is closed.
func TestSilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		c := pipeClient(client)
		go func() { // takes everything, and answers nothing
			buf := make([]byte, 1000)
			for {
				if _, err := server.Read(buf); err != nil {
					return
				}
			}
		}()
		start := time.Now()
		if err := c.Call(context.Background(), "ping", nil, nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != replyTimeout {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		go func() { time.Sleep(time.Second); _ = c.Close() }()
		for range 2 { // under way, and afterwards
			if err := c.Call(context.Background(), "ping", nil, nil); !errors.Is(err, ErrDisconnected) {
				t.Errorf("closed: %v", err)
			}
		}
	})
}

// A server that does not read holds a call for sendTimeout at most.
func TestServerThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := net.Pipe()
		c := pipeClient(client)
		defer func() { _ = c.Close() }()
		start := time.Now()
		if err := c.Call(context.Background(), "ping", nil, nil); !errors.Is(err, ErrDisconnected) || time.Since(start) != sendTimeout {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// scriptedServer listens on lines, and answers every connection's second line with text.
func scriptedServer(t *testing.T, text string) *Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			tasks.Go(func() {
				defer func() { _ = nc.Close() }()
				reader := newLineReader(nc, 1<<20, nil)
				_, _ = reader.next()
				if _, err := reader.next(); err == nil {
					_, _ = nc.Write([]byte(text))
				}
			})
		}
	})
	c, err := Dial(t.Context(), addr.MustParse("tcp://"+listener.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		_ = listener.Close()
		tasks.Wait()
	})
	return c
}

// The first notification shows that a subscription was taken, and is not lost; what the server says
// of the probe behind it is.
func TestSubscriptionBegins(t *testing.T) {
	notification := func(i int) string { return fmt.Sprintf(`{"jsonrpc":"2.0","method":"m","params":[%d]}`+"\r\n", i) }
	probed := `{"jsonrpc":"2.0","id":-1,"error":{"code":-32601,"message":"method not found"}}` + "\r\n"
	replied := `{"jsonrpc":"2.0","id":1,"result":true}` + "\r\n"
	refused := `{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"too slow"}}` + "\r\n"
	for name, text := range map[string]string{
		"notification first": notification(1) + probed + notification(2) + refused,
		"probe first":        probed + notification(1) + notification(2) + refused,
		"reply first":        replied + notification(1) + notification(2) + probed + refused,
	} {
		t.Run(name, func(t *testing.T) {
			sub, err := scriptedServer(t, text).Subscribe(t.Context(), "m", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = sub.Close() }()
			for i := 1; i <= 2; i++ {
				if params, err := sub.Next(t.Context()); err != nil || string(params) != fmt.Sprintf("[%d]", i) {
					t.Errorf("%s, %v, want [%d]", params, err, i)
				}
			}
			if e, ok := errors.AsType[*Error](firstError(sub.Next(t.Context()))); !ok || e.Code != CodeLimit {
				t.Errorf("got %v", e)
			}
		})
	}
	for name, test := range map[string]struct {
		text string
		want error
	}{
		"nonsense":                 {"nonsense\r\n", ErrProtocol},
		"nothing":                  {"", ErrDisconnected},
		"replies nobody asked for": {strings.Repeat(`{"jsonrpc":"2.0","id":9,"result":true}`+"\r\n", maxSkipped), ErrProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := scriptedServer(t, test.text).Subscribe(t.Context(), "m", nil); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func firstError(_ json.RawMessage, err error) error { return err }

// A web server that is none of ours.
func TestHostileHTTPServer(t *testing.T) {
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		want    error
	}{
		{"finds nothing", http.NotFound, ErrProtocol},
		{"sends elsewhere", http.RedirectHandler("http://192.0.2.1/", http.StatusTemporaryRedirect).ServeHTTP, ErrProtocol},
		{"answers another request", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":77,"result":1}`))
		}, ErrProtocol},
		{"breaks off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{`))
		}, ErrDisconnected},
		{"closes", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, ErrDisconnected},
		{"has no end", func(w http.ResponseWriter, r *http.Request) {
			for chunk := make([]byte, 1<<20); r.Context().Err() == nil; {
				_, _ = w.Write(chunk)
			}
		}, ErrProtocol},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(test.handler)
			defer server.Close()
			c, err := Dial(t.Context(), addr.MustParse("http+tcp://"+server.Listener.Addr().String()))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			if err := c.Call(t.Context(), "ping", nil, nil); !errors.Is(err, test.want) {
				t.Errorf("call: got %v, want %v", err, test.want)
			}
			sub, err := c.Subscribe(t.Context(), "m", nil)
			if err == nil {
				_, err = sub.Next(t.Context())
				_ = sub.Close()
			}
			if !errors.Is(err, ErrProtocol) && !errors.Is(err, ErrDisconnected) {
				t.Errorf("subscription: %v", err)
			}
		})
	}
}

// A call on a connection that is known to have ended is not sent: so nothing was run.
func TestCallOnEndedConnection(t *testing.T) {
	c := fakeServer(t, "")
	defer func() { _ = c.Close() }()
	if err := c.Call(t.Context(), "ping", nil, nil); !errors.Is(err, ErrDisconnected) || errors.Is(err, ErrUnreachable) {
		t.Errorf("the call that it ends under: %v", err)
	}
	<-c.link.(*lineLink).in.ended
	if err := c.Call(t.Context(), "ping", nil, nil); !errors.Is(err, ErrDisconnected) || !errors.Is(err, ErrUnreachable) {
		t.Errorf("the next: %v", err)
	}
}

// A subscription is with the server that the calls are with, not with one that has taken its place.
func TestSubscribeAfterRestart(t *testing.T) {
	s := newServer(t, Config{}, new(fakeDaemon).methods())
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := s.Addr()
	c, err := Dial(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	startServer(t, Config{Listen: at}, new(fakeDaemon).methods())
	<-c.link.(*lineLink).in.ended
	if _, err := c.Subscribe(t.Context(), "dnet.subscribe_events", nil); !errors.Is(err, ErrDisconnected) {
		t.Errorf("got %v", err)
	}
}

// What was no JSON-RPC server stays none.
func TestCallOnForeignConnection(t *testing.T) {
	c := fakeServer(t, "SSH-2.0-x\r\n")
	defer func() { _ = c.Close() }()
	for range 2 {
		if err := c.Call(t.Context(), "ping", nil, nil); !errors.Is(err, ErrProtocol) || errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v", err)
		}
		<-c.link.(*lineLink).in.ended
	}
}

// A client beyond the server's limit learns that this is why.
func TestClientBeyondLimit(t *testing.T) {
	s := startServer(t, Config{MaxConns: 1}, new(fakeDaemon).methods())
	connect(t, s) // accepted before the next one
	c, err := Dial(t.Context(), s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, subscribed := c.Subscribe(t.Context(), "dnet.subscribe_events", nil)
	for _, err := range []error{c.Call(t.Context(), "ping", nil, nil), subscribed} {
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeLimit {
			t.Errorf("got %v", err)
		}
	}
}
