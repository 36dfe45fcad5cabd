package jsonrpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"dchat/p2p/addr"
)

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
