package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

func TestQUICDialsFromTheSocketOfTheListener(t *testing.T) {
	for _, c := range []struct {
		listening, dialled string
		same               bool
	}{
		{"127.0.0.1", "127.0.0.1", true},
		{"0.0.0.0", "127.0.0.1", true},
		{"[::1]", "[::1]", true},
		{"[::]", "[::1]", true},
		{"[::]", "127.0.0.1", true},
		{"[::1]", "127.0.0.1", false},
		{"127.0.0.1", "[::1]", false},
		{"0.0.0.0", "[::1]", false},
		{"127.0.0.2", "127.0.0.1", false},
	} {
		t.Run(c.listening+" dials "+c.dialled, func(t *testing.T) {
			if len(loopbacks(t)) == 1 {
				t.Skip("this machine has no IPv6")
			}
			q, other := &transport.QUIC{}, &transport.QUIC{}
			own := mustListen(t, q, "quic://"+c.listening+":0")
			l := mustListen(t, other, "quic://"+c.dialled+":0")
			dialled, accepted := quicPair(t, q, l)
			want, _ := addr.MustParse("quic://" + c.dialled + ":0").WithPort(portOf(own.Addr()))
			if got := accepted.Peer(); got.Host() != want.Host() || (got == want) != c.same {
				t.Errorf("the peer sees %s, want %s: %v", got, want, c.same)
			}
			if got, want := dialled.LocalAddr().String(), accepted.Peer().HostPort(); got != want {
				t.Errorf("the dialler is %s, the peer sees %s", got, want)
			}
		})
	}
}

func portOf(a addr.Addr) uint16 {
	port, _ := a.Port()
	return port
}

func TestQUICTakesBothFamiliesOnAnIPv6WildcardAddress(t *testing.T) {
	q := &transport.QUIC{}
	l := mustListen(t, q, "quic://[::]:0")
	for _, host := range loopbacks(t) {
		other := &transport.QUIC{}
		a := addr.MustParse(fmt.Sprintf("quic://%s:%d", host, portOf(l.Addr())))
		conn, err := other.Dial(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close() //nolint:errcheck // nothing was sent
		accepted, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer accepted.Close() //nolint:errcheck // nothing was sent
		if got, want := accepted.Peer(), addr.MustParse("quic://"+conn.LocalAddr().String()); got != want || got.Host() != host {
			t.Errorf("the peer is %s, want %s", got, want)
		}
		if got := accepted.RemoteAddr().String(); got != conn.LocalAddr().String() {
			t.Errorf("the peer's socket is %s, want %s", got, conn.LocalAddr())
		}
	}
	if _, err := q.Listen(t.Context(), addr.MustParse(fmt.Sprintf("quic://0.0.0.0:%d", portOf(l.Addr())))); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("listening on 0.0.0.0 beside it: %v, want EADDRINUSE", err)
	}
}

func TestTwoQUICNodesDialEachOtherAtOnceOverOneSocketEach(t *testing.T) {
	var nodes [2]*transport.QUIC
	var listeners [2]transport.Listener
	for i := range nodes {
		nodes[i] = &transport.QUIC{}
		listeners[i] = mustListen(t, nodes[i], "quic://127.0.0.1:0")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for i := range nodes {
		there := listeners[1-i].Addr()
		all.Go(func() {
			conn, err := nodes[i].Dial(ctx, there)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close() //nolint:errcheck // the byte has been answered
			if err := passByte(conn); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			conn, err := listeners[i].Accept()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close() //nolint:errcheck // the byte has been answered
			if conn.Peer() != there {
				t.Errorf("the peer is %s, want the address it listens on, %s", conn.Peer(), there)
			}
			if err := transport.Handshake(ctx, conn); err != nil {
				t.Error(err)
			}
			if err := passByte(conn); err != nil {
				t.Error(err)
			}
			_, _ = conn.Read(make([]byte, 1)) // until it has what we wrote
		})
	}
	all.Wait()
	for _, q := range nodes {
		q.Settle(ctx)
	}
}

func TestQUICPortsOfOthersAreInUse(t *testing.T) {
	a := silentUDP(t)
	_, err := (&transport.QUIC{}).Listen(t.Context(), a)
	if want := "cannot listen on " + a.String() + ": bind: address already in use"; !errors.Is(err, syscall.EADDRINUSE) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestQUICListensAgainWhereConnectionsGoOn(t *testing.T) {
	q, other := &transport.QUIC{}, &transport.QUIC{}
	first, err := q.Listen(t.Context(), addr.MustParse("quic://127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	dialled, accepted := quicPair(t, other, first)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again := mustListen(t, q, first.Addr().String())
	if _, err := q.Listen(t.Context(), first.Addr()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("the third Listen: %v, want EADDRINUSE", err)
	}
	quicPair(t, other, again)
	if _, err := accepted.Write([]byte("still here")); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadFull(dialled, make([]byte, 10)); err != nil {
		t.Error(err)
	}
}

func TestQUICLeavesNothingBehindWhenItHasSettled(t *testing.T) {
	q := &transport.QUIC{}
	l := mustListen(t, q, "quic://127.0.0.1:0")
	dialled, accepted := quicPair(t, q, l)
	if _, err := accepted.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []io.Closer{l, dialled, accepted} {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if c, err := net.ListenPacket("udp4", l.Addr().HostPort()); err == nil {
		_ = c.Close() // it was not to open
		t.Error("its socket is closed although a connection lingers")
	}
	start := time.Now()
	q.Settle(t.Context())
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	c, err := net.ListenPacket("udp4", l.Addr().HostPort())
	if err != nil {
		t.Fatalf("its socket is still there: %v", err)
	}
	_ = c.Close() // nothing was sent
}

// A socket that breaks under its listener takes its connections with it, and can be had again.
func TestAQUICSocketThatBreaksIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newUDPNet()
		var ends []*udpEnd
		q := &transport.QUIC{}
		q.OpenWith(func(_ string, at netip.AddrPort) (transport.QUICPort, error) {
			end := n.end("127.6.6.6", int(at.Port()))
			ends = append(ends, end)
			return end, nil
		})
		l := mustListen(t, q, "quic://127.6.6.6:7000")
		dialler := n.node("127.9.9.9")
		for range 2 {
			dialled, err := dialler.Dial(t.Context(), l.Addr())
			if err != nil {
				t.Fatal(err)
			}
			accepted, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			_ = ends[len(ends)-1].Close() // as if somebody else had done it
			if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Accept: %v", err)
			}
			_ = l.Close()
			synctest.Wait()
			if l, err = q.Listen(t.Context(), l.Addr()); err != nil {
				t.Fatal(err)
			}
			_ = accepted.Close() // it has ended
			_ = dialled.Close()
		}
		_ = l.Close()
		dialler.Settle(context.WithoutCancel(t.Context()))
		q.Settle(t.Context())
	})
}
