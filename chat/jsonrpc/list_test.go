package jsonrpc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// list is a method whose result is a list of items.
func list(items ...any) Handler {
	return func(context.Context, *Call) (any, error) { return List(slices.Values(items)), nil }
}

// However long a list is, it comes whole, and other calls go on behind it.
func TestList(t *testing.T) {
	long := make([]any, 1000)
	for i := range long {
		long[i] = fmt.Sprintf("%d\r\n%s", i, strings.Repeat("\x01", 100))
	}
	wide := []any{strings.Repeat("a", 3*writeChunk), "b", strings.Repeat("c", writeChunk)}
	methods := map[string]Handler{"none": list(), "one": list("x"), "long": list(long...), "wide": list(wide...)}
	eachTransport(t, methods, func(t *testing.T, c *Client) {
		for method, want := range map[string][]any{"none": {}, "one": {"x"}, "long": long, "wide": wide} {
			var got []any
			if err := c.Call(t.Context(), method, nil, &got); err != nil || got == nil || !slices.Equal(got, want) {
				t.Errorf("%s: %d items, %v, want %d", method, len(got), err, len(want))
			}
		}
	})
}

// The items of a list are asked for as the client takes them; one who takes nothing is cut off.
func TestListIsMadeAsItIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		item := strings.Repeat("x", writeChunk)
		s := newServer(t, Config{}, map[string]Handler{
			"list": func(context.Context, *Call) (any, error) {
				return List(func(yield func(any) bool) {
					for asked.Add(1); yield(item); {
						asked.Add(1)
					}
				}), nil
			},
		})
		p := servePipe(t.Context(), s)
		write(t, p.client, call(1, "list"))
		next := len(`{"jsonrpc":"2.0","id":1,"result":[""`) + len(item)
		for read := range int32(5) {
			synctest.Wait()
			if got := asked.Load(); got != read+1 {
				t.Errorf("%d items asked for when %d were read", got, read)
			}
			if _, err := io.ReadFull(p.client, make([]byte, next)); err != nil {
				t.Fatal(err)
			}
			next = len(`,""`) + len(item)
		}
		start := time.Now()
		<-p.ended
		if took := time.Since(start); took != s.cfg.WriteTimeout || asked.Load() != 6 {
			t.Errorf("ended after %v, %d items asked for", took, asked.Load())
		}
	})
}

// A list that fails cannot be taken for a whole one, whether its reply has begun or not.
func TestListBreaksOff(t *testing.T) {
	chunk := strings.Repeat("x", writeChunk)
	eachTransport(t, map[string]Handler{
		"no JSON":       list(chunk, func() {}),
		"no JSON first": list(func() {}),
		"panics": func(context.Context, *Call) (any, error) {
			return List(func(yield func(any) bool) {
				yield(chunk)
				panic("oh")
			}), nil
		},
	}, func(t *testing.T, c *Client) {
		for _, method := range []string{"no JSON", "no JSON first", "panics"} {
			fresh, err := Dial(t.Context(), c.endpoint)
			if err != nil {
				t.Fatal(err)
			}
			err = fresh.Call(t.Context(), method, nil, nil)
			if !errors.Is(err, ErrProtocol) && !errors.Is(err, ErrDisconnected) {
				t.Errorf("%s: %v", method, err)
			}
			_ = fresh.Close()
		}
	})
}

// What cannot be told as a list is an internal error: one that is nil, and one beside a stream.
func TestListThatIsNone(t *testing.T) {
	methods := map[string]Handler{
		"nil": func(context.Context, *Call) (any, error) { return List(nil), nil },
		"stream": func(_ context.Context, c *Call) (any, error) {
			c.Stream(func(context.Context, Notify) error { return nil })
			return List(slices.Values([]any{1})), nil
		},
	}
	eachTransport(t, methods, func(t *testing.T, c *Client) {
		for method := range methods {
			if e, ok := errors.AsType[*Error](c.Call(t.Context(), method, nil, nil)); !ok || e.Code != CodeInternal {
				t.Errorf("%s: %v", method, e)
			}
		}
	})
}

// Over HTTP a short list has its length, for clients that know no chunks.
func TestHTTPShortListHasItsLength(t *testing.T) {
	s := startServer(t, Config{Listen: httpListen}, map[string]Handler{"ping": list(1, "two", nil)})
	nc := connect(t, s)
	body := call(1, "ping")
	write(t, nc, fmt.Sprintf("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	response, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if want := `{"jsonrpc":"2.0","id":1,"result":[1,"two",null]}`; response.ContentLength != int64(len(want)) {
		t.Errorf("length %d, want %d", response.ContentLength, len(want))
	}
}
