package jsonrpc

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/addr"
)

// J3: a line without end is refused when it is too long, and nothing behind it is run.
func TestJ3EndlessLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daemon := new(fakeDaemon)
		p := servePipe(t.Context(), newServer(t, Config{}, daemon.methods()))
		p.send(strings.Repeat(" ", 16<<20+8<<10))
		p.want(t, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request"}}`)
		<-p.ended
		if daemon.calls.Load() != 0 {
			t.Error("something was run")
		}
		p.closeAndWait()
	})
}

// J3: clients with huge requests take no more than 2 MiB each, as two of them are served at a time;
// all are answered, and one that does not go on holds up the others for 30 s at most.
func TestJ3HugeRequestsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heap := func() int64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		var running atomic.Int32
		done := make(chan struct{})
		s := newServer(t, Config{}, map[string]Handler{"block": func(context.Context, *Call) (any, error) {
			running.Add(1)
			<-done
			return "done", nil
		}})
		request := []byte(strings.Repeat(" ", 2<<20) + call(1, "block"))
		stuck := servePipe(t.Context(), s)
		write(t, stuck.client, strings.Repeat(" ", 2<<20))
		clients := make([]*pipe, 8)
		before := heap()
		for i := range clients {
			clients[i] = servePipe(t.Context(), s)
			go func() { _, _ = clients[i].client.Write(request) }()
		}
		synctest.Wait()
		if each := (heap() - before) / int64(len(clients)); each > 2<<20 || each < 1<<19 {
			t.Errorf("%d bytes each", each)
		}
		time.Sleep(largeTimeout)
		synctest.Wait()
		if !stuck.hasEnded() || running.Load() != maxHuge {
			t.Errorf("%d requests are run, want %d; the stuck client has ended: %v", running.Load(), maxHuge, stuck.hasEnded())
		}
		close(done)
		var reading sync.WaitGroup
		for _, p := range clients {
			reading.Go(func() {
				if got, err := p.in.ReadString('\n'); err != nil || !strings.Contains(got, `"done"`) {
					t.Errorf("got %q, %v", got, err)
				}
				p.closeAndWait()
			})
		}
		reading.Wait()
		stuck.closeAndWait()
	})
}

// J3: clients that take their time to read the answers to huge requests hold up no other one.
func TestJ3HugeRequestsDoNotWaitForReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, Config{}, map[string]Handler{"list": list(strings.Repeat("x", writeChunk)), "ping": list()})
		padding := strings.Repeat(" ", 2<<20)
		slow := make([]*pipe, maxHuge)
		for i := range slow {
			slow[i] = servePipe(t.Context(), s)
			write(t, slow[i].client, padding+call(1, "list"))
		}
		p := servePipe(t.Context(), s)
		start := time.Now()
		write(t, p.client, padding+call(2, "ping"))
		p.want(t, `{"jsonrpc":"2.0","id":2,"result":[]}`)
		if took := time.Since(start); took > 0 {
			t.Errorf("it took %v", took)
		}
		for _, p := range append(slow, p) {
			p.closeAndWait()
		}
	})
}

// pipes is a listener in the bubble of a test.
type pipes struct {
	conns  chan net.Conn
	closed context.Context
	close  context.CancelFunc
}

func (l pipes) Accept() (net.Conn, error) {
	select {
	case nc := <-l.conns:
		return nc, nil
	case <-l.closed.Done():
		return nil, net.ErrClosed
	}
}

func (l pipes) Close() error {
	l.close()
	return nil
}

func (l pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// J3: over HTTP too a huge request has its 30 s when its turn has come.
func TestJ3HugeHTTPRequestsHaveTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, Config{Listen: httpListen}, new(fakeDaemon).methods())
		listener := pipes{conns: make(chan net.Conn)}
		listener.closed, listener.close = context.WithCancel(t.Context())
		s.listen = func(context.Context, addr.Addr) (net.Listener, error) { return listener, nil }
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range maxHuge {
			_ = s.enterHuge(t.Context())
		}
		client, server := net.Pipe()
		listener.conns <- server
		var writing sync.WaitGroup
		writing.Go(func() { _, _ = client.Write([]byte(posted(strings.Repeat(" ", 2<<20) + call(1, "ping")))) })
		time.Sleep(2 * largeTimeout)
		s.leaveHuge()
		readUntil(t, client, "pong")
		writing.Wait()
		_ = client.Close()
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// J3: a subscription over HTTP does not hold what came with its request.
func TestJ3HTTPSubscriptionsLetGoOfTheirRequests(t *testing.T) {
	var live atomic.Int32
	s := startServer(t, Config{Listen: httpListen}, map[string]Handler{"ticks": ticker(&live, "taken")})
	request := posted(strings.Repeat(" ", 8<<20) + call(1, "ticks"))
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for range 4 {
		nc := connect(t, s)
		write(t, nc, request)
		readUntil(t, nc, "taken")
	}
	if each := (heap() - before) / 4; each > 4<<20 {
		t.Errorf("%d bytes each", each)
	}
	runtime.KeepAlive(request)
}

func posted(body string) string {
	return fmt.Sprintf("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
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

// J4: that holds for one that is large only with its line end, too.
func TestJ4BarelyLargeLineThenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := servePipe(t.Context(), newServer(t, Config{}, new(fakeDaemon).methods()))
		text := call(0, "ping")
		p.send(strings.Repeat(" ", largeLine+1-len(text)) + text)
		p.want(t, pong(0))
		time.Sleep(time.Hour)
		p.send(call(1, "ping"))
		p.want(t, pong(1))
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

// J5: a client has at most 18 goroutines, whatever it asks for.
func TestJ5Goroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var live atomic.Int32
		methods := (&fakeDaemon{block: make(chan struct{})}).methods()
		methods["ticks"] = ticker(&live, NoReply{})
		s := newServer(t, Config{}, methods)
		clients := make([]*pipe, 8)
		before := runtime.NumGoroutine()
		for i := range clients {
			clients[i] = servePipe(t.Context(), s)
			write(t, clients[i].client, strings.Repeat(call(1, "ticks"), maxStreams)+strings.Repeat(call(2, "block"), 100))
		}
		synctest.Wait()
		if n := runtime.NumGoroutine() - before; live.Load() != int32(maxStreams*len(clients)) || n > 18*len(clients) {
			t.Errorf("%d goroutines for %d clients with %d streams", n, len(clients), live.Load())
		}
		for _, p := range clients {
			p.closeAndWait()
		}
	})
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
