package jsonrpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/addr"
)

// A listener that breaks is replaced at its address by one with the same limit.
func TestABrokenListenerIsReplaced(t *testing.T) {
	request := strings.TrimSuffix(call(1, "ping"), "\n")
	for scheme, text := range map[string]string{
		addr.TCP:     request + "\n",
		addr.HTTPTCP: fmt.Sprintf("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(request), request),
	} {
		t.Run(scheme, func(t *testing.T) {
			s := newServer(t, Config{Listen: addr.MustParse(scheme + "://127.0.0.1:0"), MaxConns: 1}, new(fakeDaemon).methods())
			listeners := make(chan net.Listener, 2)
			s.listen = func(ctx context.Context, a addr.Addr) (net.Listener, error) {
				l, err := listen(ctx, a)
				listeners <- l
				return l, err
			}
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
					t.Error(err)
				}
			}()
			nc := connect(t, s)
			ping := func() {
				t.Helper()
				write(t, nc, text)
				readUntil(t, nc, "pong")
			}
			ping()
			_ = (<-listeners).Close() // as if somebody else had done it
			<-listeners
			readUntil(t, connect(t, s), "too many connections")
			ping()
			if len(s.Err()) > 0 {
				t.Errorf("it reports %v", <-s.Err())
			}
		})
	}
}

// readUntil reads until a text has come.
func readUntil(t *testing.T, r io.Reader, text string) {
	t.Helper()
	var got []byte
	for b := make([]byte, 1); !strings.Contains(string(got), text); got = append(got, b...) {
		if _, err := r.Read(b); err != nil {
			t.Fatalf("%q, then %v; want %q", got, err, text)
		}
	}
}

// brokenListener accepts nothing.
type brokenListener struct{}

func (brokenListener) Accept() (net.Conn, error) {
	return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EINVAL}
}
func (brokenListener) Close() error   { return nil }
func (brokenListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// A listener that breaks and cannot be replaced is reported, also in a later run, whether anybody
// reads it or not.
func TestAListenerThatIsLostIsReported(t *testing.T) {
	for _, scheme := range []string{addr.TCP, addr.HTTPTCP} {
		t.Run(scheme, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, Config{Listen: addr.MustParse(scheme + "://127.0.0.1:1")}, nil)
				gone := errors.New("gone")
				for range 3 {
					gives := []net.Listener{brokenListener{}}
					s.listen = func(context.Context, addr.Addr) (l net.Listener, err error) {
						if len(gives) == 0 {
							return nil, gone
						}
						l, gives = gives[0], nil
						return l, nil
					}
					if err := s.Start(t.Context()); err != nil {
						t.Fatal(err)
					}
					if len(s.Err()) > 0 {
						t.Errorf("it starts with %v", <-s.Err())
					}
					time.Sleep(29 * time.Second)
					if len(s.Err()) > 0 {
						t.Errorf("it reports %v after 29s", <-s.Err())
					}
					time.Sleep(6 * time.Second)
					if len(s.Err()) == 0 {
						t.Fatal("it does not report that it is lost")
					}
					if err := s.Stop(t.Context()); err != nil {
						t.Error(err)
					}
				}
				if err := <-s.Err(); !errors.Is(err, gone) || !strings.HasPrefix(err.Error(), "JSON-RPC: cannot listen on "+scheme+"://127.0.0.1:1") {
					t.Errorf("it reports %q", err)
				}
			})
		})
	}
}
