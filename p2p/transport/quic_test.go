package transport_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
	"dchat/p2p/transport/transporttest"
)

func TestQUIC(t *testing.T) {
	for _, host := range loopbacks(t) {
		t.Run(host, func(t *testing.T) {
			transporttest.Run(t, func(*testing.T) transporttest.Subject {
				return transporttest.Subject{
					Transport:    &transport.QUIC{},
					Listen:       addr.MustParse("quic://" + host + ":0"),
					Silent:       true,
					DiallerFirst: true,
					Stalled:      silentUDP,
				}
			})
		})
	}
}

// silentUDP is an address at which somebody listens and does not answer.
func silentUDP(t *testing.T) addr.Addr {
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // nobody reads
	return addr.MustParse("quic://" + c.LocalAddr().String())
}

// quicPair dials a listener and returns both ends; the dialler has said a byte.
func quicPair(t testing.TB, q *transport.QUIC, l transport.Listener) (dialled, accepted transport.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	dialled, err := q.Dial(ctx, l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dialled.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if accepted, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	if err := transport.Handshake(ctx, accepted); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(accepted, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = dialled.Close() // the test may have closed it
		_ = accepted.Close()
		q.Settle(context.Background())
	})
	return dialled, accepted
}

func TestQUICRefusesIPv4WrittenAsIPv6(t *testing.T) {
	q := &transport.QUIC{}
	a := addr.MustParse("quic://[::ffff:127.0.0.1]:1")
	if _, err := q.Dial(t.Context(), a); !errors.Is(err, transport.ErrIPv4Mapped) {
		t.Errorf("Dial: %v, want %v", err, transport.ErrIPv4Mapped)
	}
	if _, err := q.Listen(t.Context(), a); !errors.Is(err, transport.ErrIPv4Mapped) {
		t.Errorf("Listen: %v, want %v", err, transport.ErrIPv4Mapped)
	}
}

func TestWhatIsInFlightWhenAQUICConnectionClosesArrives(t *testing.T) {
	q, other := &transport.QUIC{}, &transport.QUIC{}
	l := mustListen(t, q, "quic://127.0.0.1:0")
	dialled, accepted := quicPair(t, other, l)
	sent := noise(t, 1<<20)
	var sending sync.WaitGroup
	sending.Go(func() {
		_, _ = dialled.Write(sent) // the other end tells
		_ = dialled.Close()
	})
	got, err := io.ReadAll(accepted)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("got %d bytes and %v, want %d", len(got), err, len(sent))
	}
	sending.Wait()
}

func TestAnAnswerOverQUICArrivesWhenThePeerHasEndedItsHalf(t *testing.T) {
	q, other := &transport.QUIC{}, &transport.QUIC{}
	l := mustListen(t, q, "quic://127.0.0.1:0")
	for range 20 {
		dialled, accepted := quicPair(t, other, l)
		if err := dialled.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := accepted.Write([]byte("the answer")); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(accepted); len(rest) != 0 || err != nil {
			t.Fatalf("read %q, %v, want the end", rest, err)
		}
		if err := accepted.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(dialled); string(got) != "the answer" || err != nil {
			t.Fatalf("read %q, %v, want the answer and the end", got, err)
		}
	}
}

func TestHowAQUICPeerEndsTheStream(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(*quic.Conn, *quic.Stream)
		want error
	}{
		{"it ends the stream", func(_ *quic.Conn, s *quic.Stream) { _ = s.Close() }, io.EOF},
		{"it closes, as stock nodes do", func(c *quic.Conn, _ *quic.Stream) { _ = c.CloseWithError(0, "") }, io.EOF},
		{"it closes with another code", func(c *quic.Conn, _ *quic.Stream) { _ = c.CloseWithError(7, "no") }, syscall.ECONNRESET},
		{"it resets the stream", func(_ *quic.Conn, s *quic.Stream) { s.CancelWrite(3) }, syscall.ECONNRESET},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			l := mustListen(t, &transport.QUIC{}, "quic://127.0.0.1:0")
			config := &tls.Config{Certificates: []tls.Certificate{darkfi(t)}, InsecureSkipVerify: true}
			peer, err := quicPeer(t).Dial(ctx, udpAddr(l.Addr()), config, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer peer.CloseWithError(0, "") //nolint:errcheck // it always succeeds
			stream, err := peer.OpenStreamSync(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Write([]byte{1}); err != nil {
				t.Fatal(err)
			}
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close() //nolint:errcheck // the peer has ended
			if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			c.end(peer, stream)
			_, err = conn.Read(make([]byte, 1))
			if !errors.Is(err, c.want) || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Read: %v, want %v", err, c.want)
			}
		})
	}
}

func TestAQUICPeerOpensOneStreamAndNoMore(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	l := mustListen(t, &transport.QUIC{}, "quic://127.0.0.1:0")
	config := &tls.Config{Certificates: []tls.Certificate{darkfi(t)}, InsecureSkipVerify: true}
	peer, err := quicPeer(t).Dial(ctx, udpAddr(l.Addr()), config, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer peer.CloseWithError(0, "") //nolint:errcheck // it always succeeds
	first, err := peer.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := peer.OpenStream(); err == nil {
		t.Error("a second stream opened")
	}
	if _, err := peer.OpenUniStream(); err == nil {
		t.Error("a stream in one direction opened")
	}
	// Nor is there another when the first has ended both ways.
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()                                       //nolint:errcheck // nothing was sent
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF { //nolint:errorlint // Read returns it bare
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(first); err != nil {
		t.Fatal(err)
	}
	moment, done := context.WithTimeout(ctx, 100*time.Millisecond)
	defer done()
	if _, err := peer.OpenStreamSync(moment); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("another stream after the first: %v, want none", err)
	}
}

func TestQUICDialsEveryAddressOfAName(t *testing.T) {
	l := mustListen(t, &transport.QUIC{}, "quic://127.0.0.1:0")
	a := named(l.Addr(), "node.test")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	refusal := errors.New("not this one")
	for name, ips := range map[string][]string{
		"alone":                  {"127.0.0.1"},
		"one of several":         {"127.0.0.2", "127.0.0.3", "127.0.0.1"},
		"the other family first": {"::1", "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			q := &transport.QUIC{Resolver: transporttest.Resolver(t, ips...)}
			c, err := q.DialChecked(ctx, a, func(ip netip.Addr) error {
				if ip == netip.MustParseAddr("127.0.0.3") {
					return refusal
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			defer q.Settle(ctx)
			defer c.Close() //nolint:errcheck // nothing was sent
			if c.Peer() != a || c.RemoteAddr().String() != l.Addr().HostPort() {
				t.Errorf("connected to %s at %s, want %s", c.Peer(), c.RemoteAddr(), l.Addr().HostPort())
			}
		})
	}
	q := &transport.QUIC{Resolver: transporttest.Resolver(t, "127.0.0.1")}
	if _, err := q.DialChecked(ctx, a, func(netip.Addr) error { return refusal }); !errors.Is(err, refusal) {
		t.Errorf("Dial: %v, want %v", err, refusal)
	}
	if _, err := q.DialChecked(ctx, l.Addr(), func(netip.Addr) error { return refusal }); !errors.Is(err, refusal) {
		t.Errorf("dialling a literal: %v, want %v", err, refusal)
	}
	named := mustListen(t, q, "quic://node.test:0")
	if got := named.Addr(); got.Host() != "node.test" || portOf(got) == 0 {
		t.Errorf("listening on %s", got)
	}
}

func TestB6AQUICListenerTurnsAwayBeforeAnythingIsDone(t *testing.T) {
	l := mustListen(t, &transport.QUIC{}, "quic://127.0.0.1:0")
	var asked atomic.Pointer[addr.Addr]
	var pardoned atomic.Bool
	l.(transport.Screener).Screen(func(peer addr.Addr) bool {
		asked.Store(&peer)
		return !pardoned.Load()
	})
	q := &transport.QUIC{}
	own := mustListen(t, q, "quic://127.0.0.1:0")
	start := time.Now()
	if _, err := q.Dial(t.Context(), l.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Dial: %v, want ECONNREFUSED", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if got := asked.Load(); got == nil || *got != own.Addr() {
		t.Errorf("asked about %v, want %s", got, own.Addr())
	}
	pardoned.Store(true)
	quicPair(t, q, l)
}

func TestGarbageDoesNoHarmToAQUICListener(t *testing.T) {
	q := &transport.QUIC{}
	l := mustListen(t, q, "quic://127.0.0.1:0")
	c, err := net.DialUDP("udp4", nil, udpAddr(l.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // nobody answers
	for i := range 2000 {
		b := noise(t, 1+i*7%1500)
		switch i % 4 {
		case 0:
			b[0] = 0xc0 // the first byte of a handshake
		case 1:
			b = append([]byte{0xc3, 0, 0, 0, 1, 8}, b...) // with the version, and a connection
		case 2:
			b[0] = 0x40 // of a connection that is there
		}
		_, _ = c.Write(b) // nobody need take it
	}
	quicPair(t, &transport.QUIC{}, l)
}

func TestQUICDeadlineCoversTheLookup(t *testing.T) {
	q := &transport.QUIC{Resolver: (&slowDNS{}).resolver(time.Minute)}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := q.Dial(ctx, addr.MustParse("quic://node.test:1"))
	if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "cannot dial quic://node.test:1: timed out" {
		t.Errorf("Dial: %v, want a timeout", err)
	}
	if _, err := q.Listen(ctx, addr.MustParse("quic://node.test:0")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Listen: %v, want a timeout", err)
	}
}

func TestQUICDoesNotWaitForWhereNothingLeads(t *testing.T) {
	_, err := (&transport.QUIC{}).Dial(t.Context(), addr.MustParse("quic://[fe80::1]:1")) // of which network?
	if want := "cannot dial quic://[fe80::1]:1: connect: invalid argument"; err == nil || err.Error() != want {
		t.Errorf("Dial: %v, want %s", err, want)
	}
}
