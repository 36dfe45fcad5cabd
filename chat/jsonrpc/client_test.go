package jsonrpc

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

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
