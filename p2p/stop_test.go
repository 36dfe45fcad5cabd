package p2p_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/p2ptest"
	"dchat/p2p/protocol"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// stopWithin is the longest that Stop takes, however peers behave.
const stopWithin = 2 * time.Second

// wantStop stops the node and checks how long it took.
func (n *node) wantStop() {
	n.t.Helper()
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		n.t.Errorf("Stop: %v", err)
	}
	took := time.Since(start)
	if took > stopWithin/10 {
		n.t.Logf("Stop took %v", took)
	}
	if took > stopWithin {
		n.t.Errorf("Stop took %v, want at most %v", took, stopWithin)
	}
}

func TestL4TenPeersUnderLoadSeeNoPartialFrameWhenTheNodeStops(t *testing.T) {
	n := startNode(t, transport.Default(), func(s *p2p.Settings) { s.InboundConnections = 10 })
	var recordings []*p2ptest.Recording
	var load sync.WaitGroup
	for range 10 {
		p := n.greeted()
		recordings = append(recordings, p.Record())
		load.Go(func() { // so that there is always something unread at the node's side
			for p.TryWrite(p.RawFrame(textCommand, []byte("\x04load"))) == nil {
			}
		})
	}
	load.Go(func() {
		for size := 1; ; size = size*7%30_011 + 1 {
			if _, err := n.Broadcast(&text{strings.Repeat("x", size)}); errors.Is(err, p2p.ErrNotRunning) {
				return
			}
			if n.Room(context.Background(), 32<<10) != nil {
				return
			}
		}
	})
	stopped := make(chan struct{})
	load.Go(func() { // the application keeps up
		for {
			select {
			case <-n.texts:
			case <-stopped:
				return
			}
		}
	})
	for _, r := range recordings {
		eventually(t, "a peer is under load", func() bool { return len(r.Messages()) > 100 })
	}
	n.wantStop()
	close(stopped)
	load.Wait()
	for i, r := range recordings {
		next(t, r.Done(), "end of a connection")
		if _, clean, _ := r.Ended(); !clean {
			t.Errorf("the stream to peer %d ended inside a frame", i)
		}
	}
}

func TestL4SlowReadersGetEverythingOrAtLeastNoPartialFrame(t *testing.T) {
	for name, limit := range map[string]time.Duration{"in their own time": time.Minute, "until a second before time is up": 1200 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := startNode(t, memory())
				p := n.greeted()
				queued := 0
				for n.reaches(0) { // until its queue is full
					queued++
				}
				conn := &throttled{Conn: p.Conn(), part: 32 << 10, pause: 20 * time.Millisecond}
				r := p2ptest.NewPeer(t, conn).Record()
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				start := time.Now()
				if err := n.Stop(ctx); err != nil {
					t.Error(err)
				}
				if took := time.Since(start); took > limit {
					t.Errorf("Stop took %v", took)
				}
				next(t, r.Done(), "end of the connection")
				got := len(textsOf(t, r.Messages()))
				if _, clean, _ := r.Ended(); !clean {
					t.Errorf("the stream ended inside a frame, after %d texts", got)
				}
				if all := got == queued; all != (limit == time.Minute) {
					t.Errorf("%d of %d texts arrived", got, queued)
				}
			})
		})
	}
}

func TestASlowReaderThatBreaksTheRulesSeesNoPartialFrameEither(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory())
		p := n.greeted()
		for n.reaches(0) { // until its queue is full
			synctest.Wait()
		}
		p.Write(p.RawFrame("hello", nil))
		start := time.Now()
		conn := &throttled{Conn: p.Conn(), part: 32 << 10, pause: 50 * time.Millisecond}
		r := p2ptest.NewPeer(t, conn).Record()
		wantOffence(t, n.channel(), wire.UnknownCommand)
		next(t, r.Done(), "end of the connection")
		at, clean, _ := r.Ended()
		if took := at.Sub(start); !clean || took < 900*time.Millisecond || took > stopWithin {
			t.Errorf("the stream ended after %v, between frames: %v; want between them, in 0.9 to 2 s", took, clean)
		}
	})
}

// throttled is a connection that is read slowly.
type throttled struct {
	transport.Conn
	part  int
	pause time.Duration
}

func (c *throttled) Read(b []byte) (int, error) {
	<-time.After(c.pause)
	return c.Conn.Read(b[:min(len(b), c.part)])
}

func TestWhatWasQueuedBeforeStopArrives(t *testing.T) {
	for name, set := range map[string]transport.Set{"real sockets": transport.Default(), "memory": memory()} {
		t.Run(name, func(t *testing.T) {
			n := startNode(t, set)
			var recordings []*p2ptest.Recording
			for range 8 {
				recordings = append(recordings, n.greeted().Record())
			}
			long := strings.Repeat("x", 100_000)
			for range 9 {
				n.broadcast(long, 8)
			}
			n.broadcast("last words", 8)
			n.stop()
			for _, r := range recordings {
				next(t, r.Done(), "end of a connection")
				texts := textsOf(t, r.Messages())
				if len(texts) != 10 || texts[9] != "last words" {
					t.Errorf("a peer got %d texts, want all 10", len(texts))
				}
			}
		})
	}
}

func TestL4StopWithPeersOfEveryKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := withTLS()
		nowhere := addr.MustParse("tcp://127.0.0.9:9")
		set[addr.TCP] = &blackHole{set[addr.TCP], nowhere}
		n := startNode(t, set, func(s *p2p.Settings) {
			s.Inbound = append(s.Inbound, addr.MustParse("tcp+tls://127.0.0.1:0"))
			s.Peers = []addr.Addr{nowhere}
			s.InboundConnections, s.SendQueue = 256, 64<<10
		})
		var readers []*p2ptest.Recording
		for i := range 200 {
			p := n.greeted()
			if i >= 10 { // the first ten do not read any more
				readers = append(readers, p.Record())
			}
		}
		for range 10 {
			n.dial() // its handshake never ends
			below, _ := n.Addrs()[1].WithScheme(addr.TCP)
			p2ptest.Dial(t, set, below) // nor does its TLS handshake
		}
		for n.reaches(len(readers)) { // until the queues of the ten are full
			synctest.Wait()
		}
		n.wantStop()
		for i, r := range readers {
			next(t, r.Done(), "end of a connection")
			if _, clean, _ := r.Ended(); !clean {
				t.Errorf("the stream to peer %d ended inside a frame", i)
			}
		}
	})
}

// reaches broadcasts 30,000 bytes and reports whether they went to more than so
// many peers.
func (n *node) reaches(most int) bool {
	n.t.Helper()
	queued, err := n.Broadcast(&text{strings.Repeat("x", 30_000)})
	if err != nil {
		n.t.Fatal(err)
	}
	return queued > most
}

// blackHole is a network in which dialling one address gets no answer.
type blackHole struct {
	transport.Transport
	at addr.Addr
}

func (b *blackHole) Dial(ctx context.Context, a addr.Addr) (transport.Conn, error) {
	if a == b.at {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return b.Transport.Dial(ctx, a)
}

func TestStopEndsWithItsContextEvenThenAfterCleaningUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory())
		n.greeted() // does not read any more
		for n.reaches(0) {
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		if err := n.Stop(ctx); err != nil || time.Since(start) != 100*time.Millisecond {
			t.Errorf("Stop returned %v after %v, want nil after 100ms", err, time.Since(start))
		}
		if n.State() != p2p.Stopped {
			t.Errorf("the node is %v", n.State())
		}
	})
}

// stopper is a protocol whose handler stops its node.
func stopper(n *node, ctx context.Context, result chan<- error) protocol.Registration {
	return protocol.Registration{
		Name: "stopper", Sessions: channel.Default,
		New: func(ch *channel.Channel, _ protocol.Node) (protocol.Protocol, error) {
			return nil, ch.Subscribe(channel.Subscription{Spec: wire.Spec{Command: "stop"}, Handle: func([]byte) error {
				result <- n.Stop(ctx)
				return nil
			}})
		},
	}
}

func TestL3StopInsideAHandlerFailsAfterItsContextAndStopsTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, memory())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		result := make(chan error)
		n.register(stopper(n, ctx, result))
		n.start()
		p := n.greeted()
		p.Write(p.RawFrame("stop", nil))
		if err := next(t, result, "result"); !errors.Is(err, p2p.ErrStopIncomplete) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop returned %v, want ErrStopIncomplete and why", err)
		}
		synctest.Wait()
		if n.State() != p2p.Stopped {
			t.Errorf("the node is %v, want stopped once the handler is done", n.State())
		}
	})
}

func TestAStoppedNodeSendsNothing(t *testing.T) {
	n := newNode(t, memory())
	for _, state := range []p2p.State{p2p.Created, p2p.Stopped} {
		if n.State() != state {
			t.Fatalf("the node is %v, want %v", n.State(), state)
		}
		if got, err := n.Broadcast(&text{"x"}); got != 0 || !errors.Is(err, p2p.ErrNotRunning) {
			t.Errorf("%v: Broadcast returned %d, %v, want ErrNotRunning", state, got, err)
		}
		if n.Addrs() != nil || len(n.Channels()) != 0 {
			t.Errorf("%v: addresses %v, %d channels", state, n.Addrs(), len(n.Channels()))
		}
		n.start()
		n.stop()
	}
}

func TestANodeThatIsStoppingTakesNothingNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory())
		at := n.Addrs()[0]
		n.greeted() // never closes its end, so that stopping takes a moment
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			n.stop()
		}()
		synctest.Wait()
		if n.State() != p2p.Stopping {
			t.Fatalf("the node is %v", n.State())
		}
		if _, err := n.Broadcast(&text{"x"}); !errors.Is(err, p2p.ErrNotRunning) {
			t.Errorf("Broadcast: %v, want ErrNotRunning", err)
		}
		if err := n.Start(t.Context()); !errors.Is(err, p2p.ErrStarted) {
			t.Errorf("Start: %v, want ErrStarted", err)
		}
		if conn, err := n.set.Dial(t.Context(), at); err == nil {
			t.Errorf("it still takes connections: %v", conn.Close())
		}
		<-stopped
	})
}

// lastMinute is a network whose listeners take one more connection just as they
// are closed.
type lastMinute struct{ transport.Transport }

func (n lastMinute) Listen(ctx context.Context, a addr.Addr) (transport.Listener, error) {
	l, err := n.Transport.Listen(ctx, a)
	return &lastMinuteListener{Listener: l, closed: make(chan struct{})}, err
}

type lastMinuteListener struct {
	transport.Listener
	once   sync.Once
	closed chan struct{}
}

func (l *lastMinuteListener) Accept() (transport.Conn, error) {
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	default:
	}
	conn, err := l.Listener.Accept()
	if err == nil {
		<-l.closed
	}
	return conn, err
}

func (l *lastMinuteListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func TestAConnectionTakenWhileTheNodeStopsIsClosedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, transport.Set{addr.TCP: lastMinute{memory()[addr.TCP]}})
		p := n.dial()
		synctest.Wait()
		n.wantStop()
		p.Closed()
	})
}
