package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

func TestQUICNoticesThatThePeerHasVanished(t *testing.T) {
	for end := range 2 {
		synctest.Test(t, func(t *testing.T) {
			n := newUDPNet()
			dialled, accepted := n.pairOf(t)
			c := []transport.Conn{dialled, accepted}[end]
			n.dropping(all)
			start := time.Now()
			_, err := c.Read(make([]byte, 1))
			took := time.Since(start)
			if !errors.Is(err, syscall.ETIMEDOUT) || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("end %d: Read: %v, want ETIMEDOUT", end, err)
			}
			if took < 25*time.Second || took > 46*time.Second {
				t.Errorf("end %d: it was noticed after %v, want 30 s after the last sign of life, or 45 s where one was asked for", end, took)
			}
			if _, err := c.Write([]byte{1}); !errors.Is(err, syscall.ETIMEDOUT) || errors.Is(err, net.ErrClosed) {
				t.Errorf("end %d: then Write: %v, want ETIMEDOUT", end, err)
			}
		})
	}
}

func TestAQUICWriteToAPeerThatHasVanishedEndsWithItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newUDPNet()
		dialled, accepted := n.pairOf(t)
		n.dropping(all)
		start := time.Now()
		if err := dialled.SetWriteDeadline(start.Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, err := dialled.Write(make([]byte, 1<<20))
		if took := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || took != 5*time.Second {
			t.Errorf("Write: %v after %v, want the deadline after 5s", err, took)
		}
		if err := dialled.CloseWrite(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("CloseWrite: %v, want no orderly end of a stream that was cut", err)
		}
		// The peer is told that it was cut.
		n.dropping(nil)
		if err := dialled.Close(); err != nil {
			t.Error(err)
		}
		if _, err := io.ReadAll(accepted); !errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed) {
			t.Errorf("the peer: %v, want ECONNRESET", err)
		}
	})
}

func TestAnIdleQUICConnectionStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dialled, accepted := newUDPNet().pairOf(t)
		<-time.After(10 * time.Minute)
		if _, err := accepted.Write([]byte{2}); err != nil {
			t.Error(err)
		}
		if _, err := io.ReadFull(dialled, make([]byte, 1)); err != nil {
			t.Error(err)
		}
	})
}

func TestAClosedQUICConnectionLingersForASecondAtMost(t *testing.T) {
	for name, c := range map[string]struct {
		patience, want time.Duration
		lost           bool
	}{
		"the peer does not close":   {time.Minute, time.Second, false},
		"the peer has vanished":     {time.Minute, time.Second, true},
		"nobody waits for it":       {300 * time.Millisecond, 300 * time.Millisecond, false},
		"nobody waits, it vanished": {0, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newUDPNet()
				l := mustListen(t, n.node("127.6.6.6"), "quic://127.6.6.6:7000")
				q := n.node("127.9.9.9")
				conn, err := q.Dial(t.Context(), l.Addr())
				if err != nil {
					t.Fatal(err)
				}
				if _, err := conn.Write([]byte("the last")); err != nil {
					t.Fatal(err)
				}
				if c.lost {
					n.dropping(all)
				}
				start := time.Now()
				if err := conn.Close(); err != nil || time.Since(start) != 0 {
					t.Errorf("Close: %v after %v", err, time.Since(start))
				}
				ctx, cancel := context.WithTimeout(t.Context(), c.patience)
				defer cancel()
				q.Settle(ctx)
				if took := time.Since(start); took != c.want {
					t.Errorf("it was gone after %v, want %v", took, c.want)
				}
				if _, ok := n.ends["127.9.9.9:40001"]; ok {
					t.Error("its socket is open")
				}
			})
		})
	}
}

func TestTwoQUICEndsThatCloseAtOnceDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newUDPNet()
		server, client := n.node("127.6.6.6"), n.node("127.9.9.9")
		l := mustListen(t, server, "quic://127.6.6.6:7000")
		dialled, err := client.Dial(t.Context(), l.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dialled.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		accepted, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if err := shakeHands(t.Context(), accepted); err != nil {
			t.Fatal(err)
		}
		if _, err := accepted.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for _, c := range []io.Closer{dialled, accepted} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		server.Settle(t.Context())
		client.Settle(t.Context())
		if took := time.Since(start); took > 200*time.Millisecond {
			t.Errorf("they were gone after %v", took)
		}
	})
}

func TestQUICDiallingNobodyEndsWithTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
		defer cancel()
		q := newUDPNet().node("127.9.9.9")
		_, err := q.Dial(ctx, addr.MustParse("quic://127.6.6.6:7000"))
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != 50*time.Second {
			t.Errorf("Dial: %v after %v, want the deadline", err, took)
		}
		q.Settle(ctx)
	})
}
