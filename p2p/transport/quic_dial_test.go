package transport_test

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/testutils/simnet"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

func TestAQUICPeerHearsOfTheEndOfADialThatNobodyWaitsFor(t *testing.T) {
	for _, patience := range []time.Duration{udpLatency / 2, udpLatency, 3 * udpLatency / 2} {
		synctest.Test(t, func(t *testing.T) {
			n := newUDPNet()
			end := n.end("127.6.6.6", 7000)
			peer := &quic.Transport{Conn: end}
			l, err := peer.ListenEarly(&tls.Config{Certificates: []tls.Certificate{darkfi(t)}}, nil) // it sees handshakes as they begin
			if err != nil {
				t.Fatal(err)
			}
			q := n.node("127.9.9.9")
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if _, err := q.Dial(ctx, addr.MustParse("quic://127.6.6.6:7000")); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != patience {
				t.Errorf("Dial: %v after %v, want the deadline after %v", err, time.Since(start), patience)
			}
			conn, err := l.Accept(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			<-conn.Context().Done()
			if took := time.Since(start); took > 4*udpLatency {
				t.Errorf("it was busy for %v with somebody who has gone", took)
			}
			if err := context.Cause(conn.Context()); !told(err) {
				t.Errorf("it ended by %v, want to be told", err)
			}
			synctest.Wait()
			if n.open("127.9.9.9") {
				t.Error("the socket of the dial is still there")
			}
			_ = l.Close() // they always succeed
			_ = peer.Close()
			_ = end.Close()
		})
	}
}

// told reports whether it is the peer who has ended a connection.
func told(err error) bool {
	var (
		application *quic.ApplicationError
		transport   *quic.TransportError // stands for the other before the handshake is done
	)
	return errors.As(err, &application) && application.Remote && application.ErrorCode == 0 ||
		errors.As(err, &transport) && transport.Remote && transport.ErrorCode == quic.ApplicationErrorErrorCode
}

func TestAQUICDialThatNobodyWaitsForEnds(t *testing.T) {
	silent := addr.MustParse("quic://127.6.6.6:7000")
	abandon := func(t *testing.T, q *transport.QUIC) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := q.Dial(ctx, silent); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Dial: %v, want the deadline", err)
		}
	}
	t.Run("after 10 s when nobody answers", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newUDPNet()
			abandon(t, n.node("127.9.9.9"))
			<-time.After(10*time.Second - 1)
			if !n.open("127.9.9.9") {
				t.Error("it ended before")
			}
			<-time.After(1)
			synctest.Wait()
			if n.open("127.9.9.9") {
				t.Error("it goes on")
			}
		})
	})
	t.Run("at once when the transport settles", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newUDPNet()
			q := n.node("127.9.9.9")
			abandon(t, q)
			start := time.Now()
			q.Settle(t.Context())
			if took := time.Since(start); took != 0 {
				t.Errorf("it took %v", took)
			}
			if n.open("127.9.9.9") {
				t.Error("it goes on")
			}
		})
	})
	t.Run("at once when there are 64", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newUDPNet()
			defer n.end("127.6.6.6", 7000).Close() //nolint:errcheck // it hears, and does not answer
			dialling := make(map[string]time.Time) // by the connection that they want: when they were last heard of
			n.dropping(func(p simnet.Packet) bool {
				dialling[string(p.Data[6:6+p.Data[5]])] = time.Now()
				return false
			})
			q := n.node("127.9.9.9")
			var all sync.WaitGroup
			for range 100 {
				all.Go(func() { abandon(t, q) })
			}
			all.Wait()
			end := time.Now()
			<-time.After(20 * time.Second)
			n.mu.Lock()
			defer n.mu.Unlock()
			left := 0
			for _, at := range dialling {
				if at.After(end) {
					left++
				}
			}
			if len(dialling) != 100 || left != 64 {
				t.Errorf("%d of %d went on, want 64 of 100", left, len(dialling))
			}
		})
	})
	t.Run("when it is refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newUDPNet()
			l := mustListen(t, n.node("127.6.6.6"), silent.String())
			l.(transport.Screener).Screen(func(addr.Addr) bool { return true })
			q := n.node("127.9.9.9")
			if _, err := q.Dial(t.Context(), silent); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("Dial: %v, want it refused", err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), udpLatency)
			defer cancel()
			if _, err := q.Dial(ctx, silent); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Dial: %v, want the deadline", err)
			}
			<-time.After(2 * udpLatency)
			synctest.Wait()
			if n.open("127.9.9.9") {
				t.Error("it goes on")
			}
		})
	})
}
