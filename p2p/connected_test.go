package p2p_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
	"dchat/p2p/transport"
)

func TestConnectedWaitsForEnoughPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory())
		if err := n.Connected(t.Context(), 0); err != nil {
			t.Errorf("waiting for nobody: %v", err)
		}
		result := make(chan error, 1)
		go func() { result <- n.Connected(t.Context(), 2) }()
		n.greeted()
		synctest.Wait()
		select {
		case err := <-result:
			t.Fatalf("returned %v with one peer", err)
		default:
		}
		n.greeted()
		if err := <-result; err != nil {
			t.Errorf("with two peers: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := n.Connected(ctx, 3); !errors.Is(err, context.Canceled) {
			t.Errorf("after the end of its context: %v", err)
		}
	})
}

// brittle is a network whose first connection breaks as the handshake of the nodes ends.
type brittle struct {
	transport.Transport
	used atomic.Bool
}

func (b *brittle) Dial(ctx context.Context, a addr.Addr) (transport.Conn, error) {
	conn, err := b.Transport.Dial(ctx, a)
	if err == nil && !b.used.Swap(true) {
		conn = brittleConn{conn}
	}
	return conn, err
}

type brittleConn struct{ transport.Conn }

func (c brittleConn) SetReadDeadline(t time.Time) error {
	if t.IsZero() { // the deadline of the handshake is taken off
		return net.ErrClosed
	}
	return c.Conn.SetReadDeadline(t)
}

func TestAConnectionThatBreaksAsItOpensIsNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &brittle{Transport: transport.NewMem()}
		set := transport.Set{addr.TCP: network}
		l := listen(t, set)
		serving(t, l)
		n := startNode(t, set, refining, withPeers(l.Addr()))
		<-time.After(time.Minute)
		if got := len(n.Channels()); got != 1 || !network.used.Load() {
			t.Fatalf("%d channels, want that of the second connection", got)
		}
		n.hears(addr.MustParse("tcp://127.0.0.1:9"))
		<-time.After(time.Hour)
		if got := n.Hosts().Len(hosts.Grey); got != 0 {
			t.Error("a dead address is kept, as if there were no connection at all")
		}
	})
}
