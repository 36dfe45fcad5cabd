package jsonrpc

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/addr"
)

// ticker sends a number every second. It counts the streams that live.
func ticker(live *atomic.Int32, reply any) Handler {
	return func(_ context.Context, c *Call) (any, error) {
		live.Add(1)
		c.Stream(func(ctx context.Context, notify Notify) error {
			defer live.Add(-1)
			for i := 0; ; i++ {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(time.Second):
				}
				if err := notify(i, "tick"); err != nil {
					return err
				}
			}
		})
		return reply, nil
	}
}

func tick(method string, i int) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":%q,"params":[%d,"tick"]}`, method, i)
}

// Notifications come instead of a reply or after it, and other requests are answered between them.
func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var live atomic.Int32
		methods := new(fakeDaemon).methods()
		methods["ticks"] = ticker(&live, NoReply{})
		methods["answered"] = ticker(&live, "now")
		p := servePipe(t.Context(), newServer(t, Config{}, methods))
		p.send(call(1, "ticks"))
		p.want(t, tick("ticks", 0))
		p.send(call(2, "ping"))
		p.want(t, pong(2))
		p.want(t, tick("ticks", 1))
		p.send(call(3, "answered"))
		p.want(t, `{"jsonrpc":"2.0","id":3,"result":"now"}`)
		if live.Load() != 2 {
			t.Errorf("%d streams live, want 2", live.Load())
		}
		start := time.Now()
		p.closeAndWait()
		if took := time.Since(start); live.Load() != 0 || took != 0 {
			t.Errorf("%d streams outlived their connection, which took %v to end", live.Load(), took)
		}
	})
}

// J12: a subscriber that stops reading is cut off, and the others miss nothing.
func TestJ12StuckSubscriber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var live atomic.Int32
		s := newServer(t, Config{}, map[string]Handler{"ticks": ticker(&live, NoReply{})})
		stuck := servePipe(t.Context(), s)
		write(t, stuck.client, call(1, "ticks"))
		others := make([]*pipe, 50)
		for i := range others {
			others[i] = servePipe(t.Context(), s)
			write(t, others[i].client, call(1, "ticks"))
		}
		for i := range 60 {
			for _, p := range others {
				p.want(t, tick("ticks", i))
			}
		}
		if !stuck.hasEnded() || live.Load() != 50 {
			t.Errorf("%d streams live, want 50", live.Load())
		}
		for _, p := range others {
			p.closeAndWait()
		}
	})
}

// counted counts how often it is encoded.
type counted struct{ encoded *atomic.Int32 }

func (c counted) MarshalJSON() ([]byte, error) {
	c.encoded.Add(1)
	return json.Marshal("x")
}

// J12: however many subscriptions a client has that does not read, one notification waits for it.
func TestJ12StuckSubscriptionsHoldOneText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var encoded atomic.Int32
		s := newServer(t, Config{}, map[string]Handler{
			"stream": func(_ context.Context, c *Call) (any, error) {
				c.Stream(func(_ context.Context, notify Notify) error {
					for {
						if err := notify(counted{&encoded}); err != nil {
							return err
						}
					}
				})
				return NoReply{}, nil
			},
		})
		p := servePipe(t.Context(), s)
		p.send(strings.Repeat(call(1, "stream"), maxStreams))
		synctest.Wait()
		if n := encoded.Load(); n != 1 {
			t.Errorf("%d notifications are held, want 1", n)
		}
		<-p.ended
	})
}

// A stream that fails closes the connection, so that the client learns that something is missing;
// one that has come to its end does not.
func TestStreamEnds(t *testing.T) {
	for _, test := range []struct {
		name   string
		run    StreamFunc
		closes bool
	}{
		{"in time", func(context.Context, Notify) error { return nil }, false},
		{"by an error", func(context.Context, Notify) error { return errors.New("fell behind") }, true},
		{"by what has no JSON form", func(_ context.Context, notify Notify) error { return notify(func() {}) }, true},
		{"by a panic", func(context.Context, Notify) error { panic("oh") }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, Config{}, map[string]Handler{
					"stream": func(_ context.Context, c *Call) (any, error) {
						c.Stream(test.run)
						return NoReply{}, nil
					},
				})
				p := servePipe(t.Context(), s)
				write(t, p.client, call(1, "stream"))
				if got := p.hasEnded(); got != test.closes {
					t.Errorf("connection closed: %v, want %v", got, test.closes)
				}
				p.closeAndWait()
			})
		})
	}
}

// A stream too many is refused, and run with an ended context, so that it gives back what it holds.
func TestStreamLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var live atomic.Int32
		methods := new(fakeDaemon).methods()
		methods["ticks"] = ticker(&live, NoReply{})
		p := servePipe(t.Context(), newServer(t, Config{}, methods))
		p.send(strings.Repeat(call(1, "ticks"), maxStreams) + call(2, "ticks") + call(3, "ping"))
		p.want(t, `{"jsonrpc":"2.0","id":2,"error":{"code":-32000,"message":"limit reached"}}`)
		p.want(t, pong(3))
		synctest.Wait()
		if live.Load() != maxStreams {
			t.Errorf("%d streams live, want %d", live.Load(), maxStreams)
		}
		p.closeAndWait()
	})
}

// A handler that fails has no stream.
func TestStreamOfFailedHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, Config{}, map[string]Handler{
			"stream": func(_ context.Context, c *Call) (any, error) {
				c.Stream(func(context.Context, Notify) error { panic("run") })
				return nil, InvalidParams("no")
			},
		})
		p := servePipe(t.Context(), s)
		p.send(call(1, "stream"))
		p.want(t, `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"invalid params"}}`)
		if p.hasEnded() {
			t.Error("the stream was run")
		}
		p.closeAndWait()
	})
}

// Over HTTP a stream is a response that goes on, a line for each notification, until its client
// leaves.
func TestStreamOverHTTP(t *testing.T) {
	ended := make(chan struct{})
	s := startServer(t, Config{Listen: addr.MustParse("http+tcp://127.0.0.1:0")}, map[string]Handler{
		"count": func(_ context.Context, c *Call) (any, error) {
			c.Stream(func(ctx context.Context, notify Notify) error {
				defer close(ended)
				for i := range 3 {
					if err := notify(i, "tick"); err != nil {
						return err
					}
				}
				<-ctx.Done()
				return ctx.Err()
			})
			return "first", nil
		},
	})
	nc := connect(t, s)
	body := call(1, "count")
	write(t, nc, fmt.Sprintf("POST / HTTP/1.0\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	in := bufio.NewReader(nc)
	for line := ""; line != "\r\n"; { // HTTP/1.0: what follows the header is the body as it is
		var err error
		if line, err = in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{`{"jsonrpc":"2.0","id":1,"result":"first"}`, tick("count", 0), tick("count", 1), tick("count", 2)} {
		line, err := in.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		wantJSON(t, line, want)
	}
	_ = nc.Close()
	<-ended
}

// Over HTTP a stream that fails leaves its response cut short; one that has come to its end ends it
// properly.
func TestHTTPStreamEnds(t *testing.T) {
	for name, test := range map[string]struct{ fails, want error }{
		"in time":     {nil, nil},
		"by an error": {errors.New("fell behind"), io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, Config{Listen: httpListen}, map[string]Handler{
				"ping": func(_ context.Context, c *Call) (any, error) {
					c.Stream(func(_ context.Context, notify Notify) error {
						return errors.Join(notify("once"), test.fails)
					})
					return NoReply{}, nil
				},
			})
			response, err := http.Post("http://"+s.Addr().HostPort(), "", strings.NewReader(call(1, "ping")))
			if err != nil {
				t.Fatal(err)
			}
			defer http.DefaultClient.CloseIdleConnections()
			defer func() { _ = response.Body.Close() }()
			body, err := io.ReadAll(response.Body)
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			wantJSON(t, string(body), `{"jsonrpc":"2.0","method":"ping","params":["once"]}`)
		})
	}
}
