package p2p_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/p2ptest"
	"dchat/p2p/transport"
)

func TestL1AFailedStartLeavesNothingBehind(t *testing.T) {
	set := transport.Default()
	taken := listen(t, set)
	free := listen(t, set)
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	n := newNode(t, set, func(s *p2p.Settings) { s.Inbound = []addr.Addr{free.Addr(), taken.Addr()} })
	for range 3 { // it fails in the same way each time
		err := n.Start(t.Context())
		var failed *transport.Error
		if !errors.As(err, &failed) || failed.Addr != taken.Addr() || !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatalf("Start returned %v, want that %v is in use", err, taken.Addr())
		}
		if n.State() != p2p.Stopped || n.Addrs() != nil {
			t.Errorf("the node is %v and listens on %v", n.State(), n.Addrs())
		}
		l, err := set.Listen(t.Context(), free.Addr())
		if err != nil {
			t.Fatalf("the first address is still taken: %v", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	n.start()
	n.greeted()
}

func TestStartFailsWithItsContext(t *testing.T) {
	n := newNode(t, memory())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Start(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Start returned %v, want %v", err, context.Canceled)
	}
	if n.State() != p2p.Stopped {
		t.Errorf("the node is %v", n.State())
	}
}

// The context of Start bounds starting only.
func TestTheContextOfStartHasNoSayOverTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, memory())
		ctx, cancel := context.WithCancel(t.Context())
		if err := n.Start(ctx); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(n.stop)
		p := n.greeted()
		cancel()
		synctest.Wait()
		p.Alive()
		n.greeted()
	})
}

// waiting is a network in which listening takes until its context ends.
type waiting struct {
	transport.Transport
	begun chan struct{}
}

func (w *waiting) Listen(ctx context.Context, a addr.Addr) (transport.Listener, error) {
	close(w.begun)
	<-ctx.Done()
	return nil, &transport.Error{Op: "listen on", Addr: a, Err: ctx.Err()}
}

func TestL2StopDuringStartMakesItFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &waiting{memory()[addr.TCP], make(chan struct{})}
		n := newNode(t, transport.Set{addr.TCP: slow})
		started := make(chan error)
		go func() { started <- n.Start(t.Context()) }()
		<-slow.begun
		if n.State() != p2p.Starting {
			t.Fatalf("the node is %v", n.State())
		}
		if err := n.Start(t.Context()); !errors.Is(err, p2p.ErrStarted) {
			t.Errorf("a second Start meanwhile returned %v, want ErrStarted", err)
		}
		n.stop()
		if err := <-started; !errors.Is(err, p2p.ErrStartCancelled) {
			t.Errorf("Start returned %v, want ErrStartCancelled", err)
		}
		if n.State() != p2p.Stopped {
			t.Errorf("the node is %v", n.State())
		}
	})
}

func TestL2StartAndStopAtTheSameTime(t *testing.T) {
	set := transport.Default()
	for range 100 {
		n := newNode(t, set)
		var both sync.WaitGroup
		both.Go(func() {
			if err := n.Start(t.Context()); err != nil && !errors.Is(err, p2p.ErrStartCancelled) {
				t.Errorf("Start: %v", err)
			}
		})
		both.Go(n.wantStop)
		both.Wait()
		n.stop()
		if n.State() != p2p.Stopped {
			t.Fatalf("the node is %v", n.State())
		}
	}
}

func TestL3ASecondStartFailsAndHarmsNothing(t *testing.T) {
	n := startNode(t, transport.Default())
	p := n.greeted()
	if err := n.Start(t.Context()); !errors.Is(err, p2p.ErrStarted) {
		t.Errorf("Start returned %v, want ErrStarted", err)
	}
	p.Alive()
	if n.State() != p2p.Running {
		t.Errorf("the node is %v", n.State())
	}
}

func TestL3StopBeforeStartAndTwiceDoNothing(t *testing.T) {
	n := newNode(t, transport.Default())
	n.stop()
	if n.State() != p2p.Created {
		t.Errorf("the node is %v", n.State())
	}
	n.start()
	n.stop()
	n.stop()
	if n.State() != p2p.Stopped {
		t.Errorf("the node is %v", n.State())
	}
}

func TestL3ManyStopsAtOnceAllWaitForTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory())
		n.greeted() // never closes its end, so that stopping takes a moment
		var stops sync.WaitGroup
		for range 10 {
			stops.Go(func() {
				n.stop()
				if n.State() != p2p.Stopped {
					t.Errorf("Stop returned while the node is %v", n.State())
				}
			})
		}
		stops.Wait()
	})
}

func TestL5StartAndStopAHundredTimes(t *testing.T) {
	set := transport.Default()
	l := listen(t, set)
	n := newNode(t, set, func(s *p2p.Settings) { s.Peers = []addr.Addr{l.Addr()} })
	var before resources
	for i := range 100 {
		if err := n.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		inbound, manual := n.dial(), p2ptest.Accept(t, l)
		inbound.Greet()
		manual.Greet()
		n.broadcast("hello", 2)
		inbound.Expect(&text{})
		inbound.Close(false)
		manual.Close(false)
		n.wantStop()
		if i == 10 {
			before = used(t)
		}
	}
	before.wantBack(t)
}

func TestStopLetsItsPortsGo(t *testing.T) {
	set := transport.Default()
	n := startNode(t, set)
	at := n.Addrs()
	n.greeted().Close(false)
	n.stop()
	again := startNode(t, set, func(s *p2p.Settings) { s.Inbound = at })
	again.greeted()
}

func TestInboundFullIsRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory(), func(s *p2p.Settings) { s.InboundConnections = 3 })
		first := n.greeted()
		n.dial() // those in the handshake count, too
		n.greeted()
		start := time.Now()
		if rest := n.dial().Closed(); len(rest) > 0 || time.Since(start) > time.Second {
			t.Errorf("the fourth got %v and was closed after %v, want nothing, at once", rest, time.Since(start))
		}
		first.Alive()
		first.Close(false)
		eventually(t, "the place is free again", func() bool {
			p := n.dial()
			p.Send(&p.Version)
			_, err := p.TryRead()
			return err == nil
		})
	})
}

func TestTheLimitIsThatOfEachInboundAddress(t *testing.T) {
	n := startNode(t, transport.Default(), func(s *p2p.Settings) {
		s.InboundConnections = 1
		s.Inbound = append(s.Inbound, addr.MustParse("tcp://127.0.0.1:0"))
	})
	for _, at := range n.Addrs() {
		p2ptest.Dial(t, n.set, at).Greet()
		p2ptest.Dial(t, n.set, at).Closed()
	}
}

func TestNoInboundConnectionsAreTakenWhereNoneAreAllowed(t *testing.T) {
	n := startNode(t, transport.Default(), func(s *p2p.Settings) { s.InboundConnections = 0 })
	n.dial().Closed()
}

// flaky is a network whose listeners fail now and then.
type flaky struct{ transport.Transport }

func (f flaky) Listen(ctx context.Context, a addr.Addr) (transport.Listener, error) {
	l, err := f.Transport.Listen(ctx, a)
	return &flakyListener{Listener: l, failures: 20}, err
}

type flakyListener struct {
	transport.Listener
	failures int // still to come; of the goroutine that accepts
	asked    []time.Time
}

func (l *flakyListener) Accept() (transport.Conn, error) {
	l.asked = append(l.asked, time.Now())
	if l.failures--; l.failures >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

func TestR11AcceptErrorsSlowTheNodeDownAndPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, transport.Set{addr.TCP: flaky{memory()[addr.TCP]}})
		start := time.Now()
		p := n.greeted()
		took := time.Since(start)
		// 5 ms, doubled to 1 s: 8 pauses of 1.275 s in all, then 12 of 1 s.
		if want := 13275 * time.Millisecond; took != want {
			t.Errorf("after 20 failures the first connection was taken after %v, want %v", took, want)
		}
		p.Alive()
	})
}
