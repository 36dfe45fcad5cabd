package jsonrpc

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/addr"
)

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
