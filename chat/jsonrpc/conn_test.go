package jsonrpc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A method that waits keeps its own connection waiting, and no other.
func TestBlockedMethodHoldsOnlyItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daemon := &fakeDaemon{block: make(chan struct{})}
		s := newServer(t, Config{}, daemon.methods())
		blocked, other := servePipe(t.Context(), s), servePipe(t.Context(), s)
		blocked.send(call(1, "block") + call(2, "ping"))
		time.Sleep(time.Hour)
		other.send(call(3, "ping"))
		other.want(t, pong(3))
		if n := daemon.calls.Load(); n != 1 {
			t.Errorf("%d calls ran, want 1: the request behind the blocked one has to wait", n)
		}
		close(daemon.block)
		blocked.want(t, `{"jsonrpc":"2.0","id":1,"result":"done"}`)
		blocked.want(t, pong(2))
		blocked.closeAndWait()
		other.closeAndWait()
	})
}

// Methods end when their client goes, also when it had sent more behind; what was behind is not
// run.
func TestClientGoneEndsItsMethod(t *testing.T) {
	daemon := &fakeDaemon{began: make(chan struct{}), ended: make(chan struct{})}
	s := startServer(t, Config{}, daemon.methods())
	nc := connect(t, s)
	write(t, nc, call(1, "block")+strings.Repeat(call(2, "ping"), 100))
	<-daemon.began
	if err := nc.(*net.TCPConn).SetLinger(0); err != nil { // so that closing is a reset, not an end of stream
		t.Fatal(err)
	}
	_ = nc.Close()
	<-daemon.ended
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := daemon.calls.Load(); n != 0 {
		t.Errorf("%d calls ran after the client had gone", n)
	}
}

// After the end of the stream every request has drainTimeout; in virtual time, where the pipe's end
// is the end of both directions.
func TestEndOfStreamGivesEveryRequestItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran []time.Duration
		start := time.Now()
		s := newServer(t, Config{}, map[string]Handler{
			"wait": func(ctx context.Context, c *Call) (any, error) {
				var seconds int
				if err := c.Args(&seconds); err != nil {
					return nil, err
				}
				select {
				case <-time.After(time.Duration(seconds) * time.Second):
				case <-ctx.Done():
				}
				ran = append(ran, time.Since(start))
				return nil, nil
			},
		})
		p := servePipe(t.Context(), s)
		write(t, p.client, call(1, "wait", 9)+call(2, "wait", 9)+call(3, "wait", 60)+call(4, "wait", 1))
		p.closeAndWait()
		if want := "[9s 18s 28s]"; fmt.Sprint(ran) != want {
			t.Errorf("requests ended after %v, want %s: the third is given up, and the fourth not begun", ran, want)
		}
	})
}

// A request that is under way at the end of the stream has drainTimeout from then.
func TestEndOfStreamUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := servePipe(t.Context(), newServer(t, Config{}, new(fakeDaemon).methods()))
		write(t, p.client, call(1, "block"))
		time.Sleep(time.Hour)
		start := time.Now()
		p.closeAndWait()
		if took := time.Since(start); took != drainTimeout {
			t.Errorf("took %v", took)
		}
	})
}

// A stream that fails after the end of the stream of requests does not keep them from being run.
func TestEndOfStreamAndFailingStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daemon := new(fakeDaemon)
		methods := daemon.methods()
		methods["fail"] = func(_ context.Context, c *Call) (any, error) {
			c.Stream(func(context.Context, Notify) error {
				time.Sleep(time.Second)
				return errors.New("fell behind")
			})
			return NoReply{}, nil
		}
		methods["wait"] = func(ctx context.Context, _ *Call) (any, error) {
			select {
			case <-time.After(2 * time.Second):
			case <-ctx.Done():
			}
			return NoReply{}, ctx.Err()
		}
		p := servePipe(t.Context(), newServer(t, Config{}, methods))
		write(t, p.client, call(1, "fail")+call(2, "wait")+call(3, "ping"))
		p.closeAndWait()
		if daemon.calls.Load() != 1 {
			t.Error("the last request was not run")
		}
	})
}

// A refused client can read why, though it has sent more than anybody will read.
func TestRefusalIsNotLost(t *testing.T) {
	s := startServer(t, Config{}, new(fakeDaemon).methods())
	nc := connect(t, s)
	var writing sync.WaitGroup
	writing.Go(func() { write(t, nc, "POST / HTTP/1.1\r\n"+strings.Repeat("x", 8<<20)) })
	received, err := io.ReadAll(nc)
	if err != nil {
		t.Fatal(err)
	}
	wantJSON(t, string(received), `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error"}}`)
	writing.Wait()
}

// Everything that a client sent before it closed is run, though it reads no answer.
func TestFireAndForget(t *testing.T) {
	const n = 200
	daemon := &fakeDaemon{sent: make(chan string, n)}
	s := startServer(t, Config{}, daemon.methods())
	nc := connect(t, s)
	var text strings.Builder
	for i := range n {
		text.WriteString(call(i, "send", fmt.Sprint(i)))
	}
	write(t, nc, strings.TrimSuffix(text.String(), "\n"))
	if err := nc.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if got := <-daemon.sent; got != fmt.Sprint(i) {
			t.Fatalf("text %d is %q", i, got)
		}
	}
}

// A faulty method answers with an internal error that gives nothing away, and harms nobody.
func TestMethodFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, Config{}, map[string]Handler{
			"panics":  func(context.Context, *Call) (any, error) { panic("secret") },
			"fails":   func(context.Context, *Call) (any, error) { return nil, errors.New("secret") },
			"strange": func(context.Context, *Call) (any, error) { return make(chan int), nil },
			"own": func(context.Context, *Call) (any, error) {
				return nil, fmt.Errorf("wrapped: %w", &Error{Code: -32010, Message: "no peers connected"})
			},
			"null": func(context.Context, *Call) (any, error) { return nil, nil },
		})
		p := servePipe(t.Context(), s)
		for i, method := range []string{"panics", "fails", "strange"} {
			p.send(call(i, method))
			line, err := p.in.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"error":{"code":-32603,"message":"internal error"}}`, i) + "\r\n"; line != want {
				t.Errorf("%s: got %q, want %q", method, line, want)
			}
		}
		p.send(call(7, "own"))
		p.want(t, `{"jsonrpc":"2.0","id":7,"error":{"code":-32010,"message":"no peers connected"}}`)
		p.send(call(8, "null"))
		p.want(t, `{"jsonrpc":"2.0","id":8,"result":null}`)
		p.closeAndWait()
	})
}

// What was sent ahead is bounded; a single request may be longer. Closing wakes both sides, and
// what is inside can still be taken.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		var taken atomic.Int32
		results := make(chan bool, 3)
		go func() {
			for _, size := range []int{2 * readAhead, 1, readAhead} {
				results <- q.put(queued{size: size})
				taken.Add(1)
			}
		}()
		synctest.Wait()
		if n := taken.Load(); n != 1 {
			t.Errorf("%d taken in, want 1: the first leaves no room", n)
		}
		if item, ok := q.take(); !ok || item.size != 2*readAhead {
			t.Errorf("%v, %v", item, ok)
		}
		synctest.Wait()
		if n := taken.Load(); n != 2 {
			t.Errorf("%d taken in, want 2: the third does not fit behind the second", n)
		}
		q.close()
		for _, want := range []bool{true, true, false} {
			if got := <-results; got != want {
				t.Errorf("put: %v, want %v", got, want)
			}
		}
		if item, ok := q.take(); !ok || item.size != 1 {
			t.Errorf("%v, %v", item, ok)
		}
		if item, ok := q.take(); ok {
			t.Errorf("taken from the empty queue: %v", item)
		}
	})
}

// When the server stops, an idle client is closed at once, and one that does not take its reply
// after lingerTime.
func TestStopDoesNotWaitForClients(t *testing.T) {
	for sent, want := range map[string]time.Duration{"": 0, "{": 0, call(1, "ping"): lingerTime} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			p := servePipe(ctx, newServer(t, Config{}, new(fakeDaemon).methods()))
			write(t, p.client, sent)
			time.Sleep(time.Second)
			start := time.Now()
			cancel()
			<-p.ended
			if took := time.Since(start); took != want {
				t.Errorf("%q: took %v, want %v", sent, took, want)
			}
		})
	}
}

// A method ends when its client goes, also when what the client sent behind it is refused.
func TestClientGoneAfterRefusal(t *testing.T) {
	daemon := &fakeDaemon{began: make(chan struct{}), ended: make(chan struct{})}
	s := startServer(t, Config{}, daemon.methods())
	nc := connect(t, s)
	write(t, nc, call(1, "block")+"x")
	<-daemon.began
	if err := nc.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = nc.Close()
	<-daemon.ended
}

// flakyListener cannot accept a few times, then gives its connections, then is closed.
type flakyListener struct {
	net.Listener
	failures int
	conns    []net.Conn
}

func (l *flakyListener) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, syscall.EMFILE
	}
	if len(l.conns) == 0 {
		return nil, net.ErrClosed
	}
	nc := l.conns[0]
	l.conns = l.conns[1:]
	return nc, nil
}

// A listener that cannot accept for a while is asked again, at growing intervals.
func TestAcceptFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		s := newServer(t, Config{}, new(fakeDaemon).methods())
		var tasks sync.WaitGroup
		start := time.Now()
		_ = s.acceptLines(t.Context(), &flakyListener{failures: 12, conns: []net.Conn{server}}, &tasks)
		if took := time.Since(start); took < 4*time.Second || took > 6*time.Second {
			t.Errorf("12 failures took %v: want 5 ms doubled up to 1 s", took)
		}
		p := &pipe{client: client, in: bufio.NewReader(client)}
		p.send(call(1, "ping"))
		p.want(t, pong(1))
		_ = client.Close()
		tasks.Wait()

		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_ = s.acceptLines(ended, &flakyListener{failures: 1 << 30}, &tasks) // returns
	})
}
