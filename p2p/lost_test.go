package p2p_test

import (
	"context"
	"errors"
	"net"
	"slices"
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

// fragile is a network whose listeners can be broken, and its addresses taken away.
type fragile struct {
	transport.Transport
	mu        sync.Mutex
	gone      bool
	listeners []*fragileListener
}

func (f *fragile) Listen(ctx context.Context, a addr.Addr) (transport.Listener, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone {
		return nil, &transport.Error{Op: "listen on", Addr: a, Err: syscall.EADDRNOTAVAIL}
	}
	inner, err := f.Transport.Listen(ctx, a)
	if err != nil {
		return nil, err
	}
	l := &fragileListener{Listener: inner}
	f.listeners = append(f.listeners, l)
	return l, nil
}

// breakAll breaks the listeners that there are, and says whether others can be had.
func (f *fragile) breakAll(gone bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = gone
	for _, l := range f.listeners {
		_ = l.Close() // it may be closed
	}
	f.listeners = nil
}

// breakAt breaks the listener of one address.
func (f *fragile) breakAt(a addr.Addr) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = true
	i := slices.IndexFunc(f.listeners, func(l *fragileListener) bool { return l.Addr() == a })
	_ = f.listeners[i].Close() // it is open
}

func (f *fragile) comeBack() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = false
}

// fragileListener breaks as a socket does that another program shut.
type fragileListener struct{ transport.Listener }

func (l *fragileListener) Accept() (transport.Conn, error) {
	conn, err := l.Listener.Accept()
	if errors.Is(err, net.ErrClosed) {
		err = &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EINVAL}
	}
	return conn, err
}

func startFragile(t *testing.T) (*node, *fragile) {
	t.Helper()
	f := &fragile{Transport: memory()[addr.TCP]}
	n := startNode(t, transport.Set{addr.TCP: f}, func(s *p2p.Settings) {
		s.Inbound = append(s.Inbound, addr.MustParse("tcp://127.0.0.1:0"))
	})
	return n, f
}

// reported takes what the node has reported until now.
func (n *node) reported() (lost []addr.Addr) {
	for {
		select {
		case err := <-n.Err():
			var at *transport.Error
			if !errors.As(err, &at) {
				n.t.Fatalf("%v names no address", err)
			}
			lost = append(lost, at.Addr)
		default:
			return lost
		}
	}
}

func TestAnAddressWhoseListenerBreaksIsListenedOnAgain(t *testing.T) {
	for name, away := range map[string]time.Duration{"at once": 0, "when it is back": 20 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, f := startFragile(t)
				at := n.Addrs()
				before := n.greeted()
				f.breakAll(away > 0)
				time.Sleep(away)
				f.comeBack()
				time.Sleep(10 * time.Second)
				if !slices.Equal(n.Addrs(), at) {
					t.Errorf("it listens on %v, want %v as before", n.Addrs(), at)
				}
				for _, a := range at {
					p2ptest.Dial(t, n.set, a).Greet()
				}
				before.Alive()
				if lost := n.reported(); lost != nil {
					t.Errorf("lost: %v", lost)
				}
			})
		})
	}
}

func TestAnAddressThatDoesNotComeBackIsReportedAndTheOthersServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, f := startFragile(t)
		at := n.Addrs()
		before := n.greeted()
		f.breakAt(at[0])
		time.Sleep(29 * time.Second)
		if lost := n.reported(); lost != nil || len(n.Addrs()) != 2 {
			t.Errorf("after 29s lost: %v; it listens on %v", lost, n.Addrs())
		}
		time.Sleep(6 * time.Second)
		if lost := n.reported(); !slices.Equal(lost, at[:1]) {
			t.Errorf("lost: %v, want %v", lost, at[:1])
		}
		if !slices.Equal(n.Addrs(), at[1:]) {
			t.Errorf("it listens on %v, want %v", n.Addrs(), at[1:])
		}
		before.Alive()
		n.greeted()
		time.Sleep(time.Hour)
		if lost := n.reported(); lost != nil {
			t.Errorf("reported again: %v", lost)
		}
	})
}

func TestLostAddressesNeedNobodyWhoReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, f := startFragile(t)
		for range 3 {
			f.breakAll(true)
			time.Sleep(time.Minute)
			if n.Addrs() != nil {
				t.Errorf("it listens on %v", n.Addrs())
			}
			n.stop()
			f.comeBack()
			n.start()
			n.greeted()
		}
		if lost := n.reported(); lost != nil {
			t.Errorf("the run before has left %v", lost)
		}
	})
}

func TestAStopWhileItTriesToListenAgainIsNoLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, f := startFragile(t)
		f.breakAll(true)
		time.Sleep(10 * time.Second)
		stopping := time.Now()
		n.stop()
		if lost, took := n.reported(), time.Since(stopping); lost != nil || took > 0 {
			t.Errorf("lost: %v; it stopped after %v", lost, took)
		}
	})
}
