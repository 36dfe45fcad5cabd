package jsonrpc

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/addr"
)

var httpListen = addr.MustParse("http+tcp://127.0.0.1:0")

// post sends a ping with that header and returns the status.
func post(t *testing.T, s *Server, method, header string) int {
	t.Helper()
	nc := connect(t, s)
	body := call(1, "ping")
	write(t, nc, fmt.Sprintf("%s / HTTP/1.1\r\nContent-Length: %d\r\n%s\r\n%s", method, len(body), header, body))
	status, _ := readResponse(t, bufio.NewReader(nc))
	return status
}

// J6: what a web page can make a browser send runs nothing.
func TestJ6CrossSite(t *testing.T) {
	daemon := new(fakeDaemon)
	s := startServer(t, Config{Listen: httpListen}, daemon.methods())
	own := "Host: " + s.Addr().HostPort() + "\r\n"
	for _, test := range []struct {
		name, method, header string
		want                 int
	}{
		{"fetch no-cors", "POST", own + "Origin: http://evil.example\r\nSec-Fetch-Site: cross-site\r\nContent-Type: text/plain\r\n", 403},
		{"form", "POST", own + "Origin: http://evil.example\r\nContent-Type: application/x-www-form-urlencoded\r\n", 403},
		{"multipart form", "POST", own + "Origin: http://evil.example\r\nContent-Type: multipart/form-data; boundary=x\r\n", 403},
		{"page without an origin", "POST", own + "Origin: null\r\n", 403},
		{"page on another port of this machine", "POST", own + "Origin: http://127.0.0.1:3000\r\n", 403},
		{"page over https", "POST", own + "Origin: https://" + s.Addr().HostPort() + "\r\n", 403},
		{"second origin hidden behind the own", "POST", own + "Origin: http://" + s.Addr().HostPort() + "\r\nOrigin: http://evil.example\r\n", 403},
		{"extension", "POST", own + "Origin: chrome-extension://abc\r\n", 403},
		{"cross-site by Sec-Fetch-Site alone", "POST", own + "Sec-Fetch-Site: cross-site\r\n", 403},
		{"same-site by Sec-Fetch-Site alone", "POST", own + "Sec-Fetch-Site: same-site\r\n", 403},
		{"claims same origin and is not", "POST", own + "Origin: http://evil.example\r\nSec-Fetch-Site: same-origin\r\n", 403},
		{"image", "GET", own + "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n", 403},
		{"image of an old browser", "GET", own, 405},
		{"preflight", "OPTIONS", own + "Origin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n", 403},
		{"text form of a browser that says no origin", "POST", own + "Content-Type: text/plain\r\n", 415},
		{"multipart form of a browser that says no origin", "POST", own + "Content-Type: multipart/form-data; boundary=x\r\n", 415},
		{"content type that cannot be read", "POST", own + "Content-Type: ;\r\n", 415},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := post(t, s, test.method, test.header); got != test.want {
				t.Errorf("status %d, want %d", got, test.want)
			}
		})
	}
	if n := daemon.calls.Load(); n != 0 {
		t.Errorf("%d calls ran", n)
	}
}

// What programs send is taken.
func TestHTTPProgramsAreServed(t *testing.T) {
	s := startServer(t, Config{Listen: httpListen}, new(fakeDaemon).methods())
	own := "Host: " + s.Addr().HostPort() + "\r\n"
	for name, header := range map[string]string{
		"only Host":              own,
		"JSON":                   own + "Content-Type: application/json; charset=utf-8\r\n",
		"curl -d":                own + "Content-Type: application/x-www-form-urlencoded\r\nAccept: */*\r\n",
		"its own page":           own + "Origin: http://" + s.Addr().HostPort() + "\r\nSec-Fetch-Site: same-origin\r\n",
		"the user's address bar": own + "Sec-Fetch-Site: none\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			if got := post(t, s, http.MethodPost, header); got != http.StatusOK {
				t.Errorf("status %d", got)
			}
		})
	}
}

// J8: a Host that is not ours is a name that somebody pointed at our address.
func TestJ8Rebinding(t *testing.T) {
	named, err := New(Config{Listen: addr.MustParse("http+tcp://node.example:1")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	daemon := new(fakeDaemon)
	s := startServer(t, Config{Listen: httpListen}, daemon.methods())
	port := strings.TrimPrefix(s.Addr().HostPort(), "127.0.0.1")
	for _, test := range []struct {
		host string
		want bool
	}{
		{"127.0.0.1", true},
		{"127.0.0.1" + port, true},
		{"localhost" + port, true},
		{"LocalHost", true},
		{"[::1]" + port, true},
		{"[::1]", true},
		{"127.0.0.1:9999", true}, // a forwarded port
		{"evil.example", false},
		{"evil.example" + port, false},
		{"localhost.evil.example", false},
		{"evil.localhost", false},
		{"localhost.", false},
		{"127.0.0.1.", false},
		{"127.0.0.1.evil.example", false},
		{"2130706433", false},
		{"127.1", false},
		{"0x7f.0.0.1", false},
		{"0.0.0.0" + port, false},
		{"[::]" + port, false},
		{"[::1]evil.example", false},
		{"[fe80::1]", false},
		{"192.168.1.1", false},
		{"node.example", false},
		{"", false},
	} {
		t.Run(test.host, func(t *testing.T) {
			want := http.StatusOK
			if !test.want {
				want = http.StatusForbidden
			}
			if got := post(t, s, http.MethodPost, "Host: "+test.host+"\r\n"); got != want {
				t.Errorf("status %d, want %d", got, want)
			}
		})
	}
	if isForeign(&http.Request{Host: "Node.Example:1"}, named.cfg.Listen.Hostname()) {
		t.Error("the configured name is foreign")
	}
}

// J3: over HTTP too, a body is bounded, whether or not its length was told.
func TestJ3LongBody(t *testing.T) {
	daemon := new(fakeDaemon)
	s := startServer(t, Config{Listen: httpListen, MaxLine: 1000}, daemon.methods())
	body := call(1, "ping", strings.Repeat("x", 2000))
	for name, head := range map[string]string{
		"told":    fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body),
		"chunked": fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body),
	} {
		t.Run(name, func(t *testing.T) {
			nc := connect(t, s)
			write(t, nc, "POST / HTTP/1.1\r\nHost: localhost\r\n"+head)
			in := bufio.NewReader(nc)
			if status, got := readResponse(t, in); status != http.StatusRequestEntityTooLarge {
				t.Errorf("status %d: %s", status, got)
			}
			if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
				t.Errorf("the connection goes on: %q, %v", rest, err)
			}
		})
	}
	if daemon.calls.Load() != 0 {
		t.Error("something was run")
	}
}

// J5: over HTTP a connection beyond the limit is told so as well.
func TestJ5HTTPConnectionLimit(t *testing.T) {
	s := startServer(t, Config{Listen: httpListen, MaxConns: 1}, new(fakeDaemon).methods())
	first := connect(t, s)
	write(t, first, "POST / HTTP/1.1\r\n")
	status, body := readResponse(t, bufio.NewReader(connect(t, s)))
	if status != http.StatusServiceUnavailable {
		t.Errorf("status %d", status)
	}
	wantJSON(t, body, `{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"limit reached"}}`)
}

// A method that answers nothing and streams nothing is an empty response.
func TestHTTPNoReply(t *testing.T) {
	s := startServer(t, Config{Listen: httpListen}, map[string]Handler{
		"ping": func(context.Context, *Call) (any, error) { return NoReply{}, nil },
	})
	if got := post(t, s, http.MethodPost, "Host: localhost\r\n"); got != http.StatusNoContent {
		t.Errorf("status %d", got)
	}
}

// A client that leaves ends its method over HTTP too.
func TestHTTPClientGoneEndsItsMethod(t *testing.T) {
	daemon := &fakeDaemon{began: make(chan struct{}), ended: make(chan struct{})}
	s := startServer(t, Config{Listen: httpListen}, daemon.methods())
	nc := connect(t, s)
	body := call(1, "block")
	write(t, nc, fmt.Sprintf("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	<-daemon.began
	_ = nc.Close()
	<-daemon.ended
}

// A long result comes whole.
func TestHTTPLongResult(t *testing.T) {
	long := strings.Repeat("x", 5*writeChunk)
	s := startServer(t, Config{Listen: httpListen}, map[string]Handler{
		"ping": func(context.Context, *Call) (any, error) { return long, nil },
	})
	body := call(1, "ping")
	nc := connect(t, s)
	write(t, nc, fmt.Sprintf("POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	_, got := readResponse(t, bufio.NewReader(nc))
	wantJSON(t, got, `{"jsonrpc":"2.0","id":1,"result":"`+long+`"}`)
	if rest, err := io.ReadAll(nc); err != nil || len(rest) > 0 {
		t.Errorf("left: %d bytes, %v", len(rest), err)
	}
}

// A body that is shorter than was said is not run.
func TestHTTPBodyCutShort(t *testing.T) {
	daemon := new(fakeDaemon)
	s := startServer(t, Config{Listen: httpListen}, daemon.methods())
	nc := connect(t, s)
	body := call(1, "ping")
	write(t, nc, fmt.Sprintf("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body)+1, body))
	if err := nc.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if status, got := readResponse(t, bufio.NewReader(nc)); status != http.StatusBadRequest || daemon.calls.Load() != 0 {
		t.Errorf("status %d, %d calls: %s", status, daemon.calls.Load(), got)
	}
}

// pipeListener gives one connection, and then waits to be closed.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case nc := <-l.conns:
		return nc, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	close(l.closed)
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// J4: over HTTP a header has 10 s, a body 30 s, and a response as long as its client goes on
// reading.
func TestJ4HTTPTimeouts(t *testing.T) {
	head := "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
	tickRequest := call(1, "ticks")
	whole := head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(tickRequest), tickRequest)
	for _, test := range []struct {
		name, sent string
		reads      bool
		closes     time.Duration // when the connection is closed; 0: it is not
		live       int32         // streams after an hour
	}{
		{"header without end", head, true, headerTimeout, 0},
		{"body without end", head + "Content-Length: 100\r\n\r\n{", true, largeTimeout, 0},
		{"response that is read", whole, true, 0, 1},
		{"response that is not read", whole, false, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var live atomic.Int32
				s := newServer(t, Config{Listen: httpListen}, map[string]Handler{"ticks": ticker(&live, NoReply{})})
				client, server := net.Pipe()
				listener := &pipeListener{make(chan net.Conn, 1), make(chan struct{})}
				listener.conns <- server
				var tasks sync.WaitGroup
				httpServer := s.httpServer(t.Context(), &tasks)
				tasks.Go(func() { _ = httpServer.Serve(listener) }) // it is closed below
				write(t, client, test.sent)

				start := time.Now()
				var closed atomic.Int64
				if test.reads {
					tasks.Go(func() {
						_, _ = io.Copy(io.Discard, client)
						closed.Store(int64(time.Since(start).Truncate(time.Second)))
					})
				}
				time.Sleep(time.Hour)
				if got := time.Duration(closed.Load()); got != test.closes {
					t.Errorf("closed after %v, want %v", got, test.closes)
				}
				if got := live.Load(); got != test.live {
					t.Errorf("%d streams live, want %d", got, test.live)
				}
				_ = client.Close()
				_ = httpServer.Close()
				tasks.Wait()
			})
		})
	}
}
