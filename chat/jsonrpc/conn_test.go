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

func pong(id int) string { return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":"pong"}`, id) }

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

// J3: a line without end is refused at the limit, and nothing behind it is run.
func TestJ3EndlessLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daemon := new(fakeDaemon)
		p := servePipe(t.Context(), newServer(t, Config{MaxLine: 1 << 20}, daemon.methods()))
		p.send(strings.Repeat(" ", 1<<20+8<<10))
		p.want(t, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request"}}`)
		<-p.ended
		if daemon.calls.Load() != 0 {
			t.Error("something was run")
		}
		p.closeAndWait()
	})
}

// J4: a short line is waited for without limit; a long one has 30 s.
func TestJ4SlowSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, Config{}, new(fakeDaemon).methods())
		short, long := servePipe(t.Context(), s), servePipe(t.Context(), s)
		for _, b := range []byte(call(1, "ping")) {
			time.Sleep(time.Hour)
			write(t, short.client, string(b))
			if b == '}' {
				break
			}
		}
		write(t, short.client, "\n")
		short.want(t, pong(1))

		write(t, long.client, `{"x":"`+strings.Repeat("x", 2*largeLine))
		time.Sleep(largeTimeout - time.Second)
		if long.hasEnded() {
			t.Error("cut off too early")
		}
		time.Sleep(2 * time.Second)
		if !long.hasEnded() {
			t.Error("not cut off")
		}
		short.closeAndWait()
	})
}

// J4: a long line that comes in time leaves no deadline behind.
func TestJ4LargeLineThenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := servePipe(t.Context(), newServer(t, Config{}, new(fakeDaemon).methods()))
		for id := range 2 {
			p.send(call(id, "ping", strings.Repeat("x", 2*largeLine)))
			p.want(t, pong(id))
			time.Sleep(time.Hour)
		}
		p.closeAndWait()
	})
}

// J4: who does not read is cut off after the write timeout, with the method it waits for; others do
// not notice.
func TestJ4ClientThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daemon := &fakeDaemon{block: make(chan struct{})}
		s := newServer(t, Config{}, daemon.methods())
		stuck, other := servePipe(t.Context(), s), servePipe(t.Context(), s)
		write(t, stuck.client, call(1, "ping")+call(2, "block"))
		time.Sleep(9 * time.Second)
		if stuck.hasEnded() {
			t.Error("cut off before 10 s")
		}
		other.send(call(3, "ping"))
		other.want(t, pong(3))
		time.Sleep(2 * time.Second)
		if !stuck.hasEnded() {
			t.Error("not cut off")
		}
		other.closeAndWait()
	})
}

// J4: a reader that is slow, not stuck, gets all of a long reply, however long it takes.
func TestJ4SlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		big := strings.Repeat("x", 10*writeChunk)
		s := newServer(t, Config{}, map[string]Handler{
			"big": func(context.Context, *Call) (any, error) { return big, nil },
		})
		p := servePipe(t.Context(), s)
		write(t, p.client, call(1, "big"))
		var got strings.Builder
		buf := make([]byte, writeChunk)
		for !strings.HasSuffix(got.String(), "\r\n") {
			time.Sleep(8 * time.Second)
			n, err := io.ReadFull(p.client, buf[:min(len(buf), len(big)+len(`{"jsonrpc":"2.0","id":1,"result":""}`)+2-got.Len())])
			if err != nil {
				t.Fatalf("after %d bytes: %v", got.Len(), err)
			}
			got.Write(buf[:n])
		}
		wantJSON(t, got.String(), `{"jsonrpc":"2.0","id":1,"result":"`+big+`"}`)
		p.closeAndWait()
	})
}

// J5: any number of requests in one go are all answered, in their order.
func TestJ5Pipelining(t *testing.T) {
	const n = 10_000
	s := startServer(t, Config{}, new(fakeDaemon).methods())
	nc := connect(t, s)
	var text strings.Builder
	for i := range n {
		text.WriteString(call(i, "ping"))
	}
	var writing sync.WaitGroup
	writing.Go(func() { write(t, nc, text.String()) })
	in := bufio.NewReader(nc)
	for i := range n {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatalf("reply %d: %v", i, err)
		}
		wantJSON(t, line, pong(i))
	}
	writing.Wait()
}

// J5: a connection beyond the limit is told so and closed; a slot that is given back can be used
// again.
func TestJ5ConnectionLimit(t *testing.T) {
	s := startServer(t, Config{MaxConns: 2}, new(fakeDaemon).methods())
	ask := func(nc net.Conn) string {
		_, _ = nc.Write([]byte(call(1, "ping")))
		line, _ := bufio.NewReader(nc).ReadString('\n') // nothing, when the refusal was lost on the way
		return line
	}
	first, second := connect(t, s), connect(t, s)
	wantJSON(t, ask(first), pong(1))
	wantJSON(t, ask(second), pong(1))

	received, err := io.ReadAll(connect(t, s))
	if err != nil {
		t.Fatal(err)
	}
	wantJSON(t, string(received), `{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"limit reached"}}`)

	if err := first.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, first); err != nil { // the server closes behind its slot
		t.Fatal(err)
	}
	for { // the slot is free a moment after the connection is closed
		if strings.Contains(ask(connect(t, s)), "pong") {
			return
		}
	}
}

// J7: a browser's post runs nothing, though a line of it is a request; the answer comes at its
// first byte.
func TestJ7CrossProtocol(t *testing.T) {
	for _, first := range []string{"POST / HTTP/1.1\r\n", "GET /?", "OPTIONS ", "\x16\x03\x01\x02\x00", "PRI * HTTP/2.0\r\n", "SSH-2.0-x\r\n"} {
		t.Run(first[:3], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				daemon := new(fakeDaemon)
				p := servePipe(t.Context(), newServer(t, Config{}, daemon.methods()))
				p.send(first[:1])
				p.want(t, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error"}}`)
				p.send(first[1:] + "Host: localhost\r\n\r\n" + call(1, "ping"))
				<-p.ended
				if daemon.calls.Load() != 0 {
					t.Error("something was run")
				}
				p.closeAndWait()
			})
		})
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
		s.acceptLines(t.Context(), &flakyListener{failures: 12, conns: []net.Conn{server}}, &tasks)
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
		s.acceptLines(ended, &flakyListener{failures: 1 << 30}, &tasks) // returns
	})
}
