package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go/testutils/simnet"

	"dchat/p2p/transport"
)

func TestH1QUICClientsThatOpenNoStreamHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const silent = 200
		n := newUDPNet()
		l := mustListen(t, n.node("127.6.6.6"), "quic://127.6.6.6:7000")
		serve := func(honest bool) func(*testing.T, transport.Conn) {
			return func(t *testing.T, c transport.Conn) {
				defer c.Close() //nolint:errcheck // nothing was sent
				start := time.Now()
				err := shakeHands(t.Context(), c)
				if took := time.Since(start); !honest && (!errors.Is(err, context.DeadlineExceeded) || took != handshakeTimeout) {
					t.Errorf("a silent client: %v after %v, want the deadline after %v", err, took, handshakeTimeout)
				} else if honest && (err != nil || took > time.Second) {
					t.Errorf("the honest client: %v after %v", err, took)
				}
			}
		}
		var served sync.WaitGroup
		dial := func(q *transport.QUIC, serve func(*testing.T, transport.Conn)) transport.Conn {
			t.Helper()
			start := time.Now()
			conn, err := q.Dial(t.Context(), l.Addr())
			if took := time.Since(start); err != nil || took > time.Second {
				t.Fatalf("Dial: %v after %v", err, took)
			}
			accepted, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			served.Go(func() { serve(t, accepted) })
			return conn
		}
		attacker := n.node("127.9.9.9")
		var attack []transport.Conn
		for range silent {
			attack = append(attack, dial(attacker, serve(false)))
		}
		honest := dial(n.node("127.9.9.8"), serve(true))
		if _, err := honest.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		served.Wait()
		for _, c := range append(attack, honest) {
			if _, err := c.Read(make([]byte, 1)); err != io.EOF { //nolint:errorlint // Read returns it bare
				t.Errorf("afterwards Read: %v, want it closed", err)
			}
			_ = c.Close() // the peer has
		}
	})
}

func TestH1QUICClientsThatSayOnlyOneWordHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const silent = 300
		n := newUDPNet()
		var answers atomic.Int32 // to those whose address is somebody else's
		n.dropping(func(p simnet.Packet) bool {
			forged := p.To.(*net.UDPAddr).IP.To4()[1] == 66
			if forged {
				answers.Add(1)
			}
			return forged
		})
		l := mustListen(t, n.node("127.6.6.6"), "quic://127.6.6.6:7000")
		var accepted atomic.Int32
		var serving sync.WaitGroup
		serving.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				accepted.Add(1)
				serving.Go(func() {
					_ = shakeHands(t.Context(), c) // the diallers tell
					_ = c.Close()                  // nothing was sent
				})
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		var attack sync.WaitGroup
		for i := range silent {
			q := n.node(fmt.Sprintf("127.66.%d.%d", i>>8, i&255))
			attack.Go(func() {
				if _, err := q.Dial(ctx, l.Addr()); !errors.Is(err, context.Canceled) {
					t.Errorf("a client that hears nothing: %v", err)
				}
				q.Settle(ctx)
			})
		}
		<-time.After(time.Second)
		start := time.Now()
		conn, err := n.node("127.9.9.9").Dial(ctx, l.Addr())
		if took := time.Since(start); err != nil || took > time.Second {
			t.Fatalf("Dial: %v after %v", err, took)
		}
		if answers.Load() == 0 {
			t.Error("nobody was answered")
		}
		_ = conn.Close() // nothing was sent
		cancel()
		attack.Wait()
		_ = l.Close() // ends Accept
		serving.Wait()
		if got := accepted.Load(); got > 1 {
			t.Errorf("%d were accepted, one of them honest", got)
		}
	})
}

func TestH1AQUICConnectionThatEndsWithoutAStreamIsNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newUDPNet()
		l := mustListen(t, n.node("127.6.6.6"), "quic://127.6.6.6:7000")
		conn, err := n.node("127.9.9.9").Dial(t.Context(), l.Addr())
		if err != nil {
			t.Fatal(err)
		}
		accepted, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second) // there is nothing under way any more
		ending := make(chan struct{})
		n.dropping(func(simnet.Packet) bool {
			<-ending // no stream comes any more, and yet the connection has not ended
			return false
		})
		var closing sync.WaitGroup
		closing.Go(func() { _ = accepted.Close() }) // nothing was sent
		if err := shakeHands(t.Context(), accepted); err == nil {
			t.Error("the handshake succeeded")
		}
		if n, err := accepted.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("Read: %d bytes, %v", n, err)
		}
		if n, err := accepted.Write([]byte{1}); n != 0 || err == nil {
			t.Errorf("Write: %d bytes, %v", n, err)
		}
		close(ending)
		closing.Wait()
		_ = conn.Close() // the peer has
	})
}

func TestH2QUICHandshakesThatBeginAndStopAreCutSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const silent = 200
		n := newUDPNet()
		sent, allowed := make(map[string]int), make(map[string]int)
		n.dropping(func(p simnet.Packet) bool { // all but the first word, and if need be that the address is not forged
			from, to := p.From.String(), p.To.String()
			if p.Data[0]&0xf0 == 0xf0 { // a Retry
				allowed[to] = 2
			}
			sent[from]++
			return p.From.(*net.UDPAddr).IP.To4()[1] == 66 && sent[from] > max(1, allowed[from])
		})
		l := mustListen(t, n.node("127.6.6.6"), "quic://127.6.6.6:7000")
		var serving sync.WaitGroup
		serving.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				serving.Go(func() {
					_ = shakeHands(t.Context(), c) // the diallers tell
					_ = c.Close()                  // nothing was sent
				})
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		var attack sync.WaitGroup
		for i := range silent {
			q := n.node(fmt.Sprintf("127.66.%d.%d", i>>8, i&255))
			attack.Go(func() {
				if c, err := q.Dial(ctx, l.Addr()); err == nil {
					<-ctx.Done()
					_ = c.Close() // nothing was sent
				}
				q.Settle(ctx)
			})
			<-time.After(time.Millisecond)
		}
		<-time.After(100 * time.Millisecond)
		honest := n.node("127.9.9.9")
		start := time.Now()
		if _, err := honest.Dial(ctx, l.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Dial: %v, want no place for it at first", err)
		}
		for {
			conn, err := honest.Dial(ctx, l.Addr())
			if err == nil {
				_ = conn.Close() // nothing was sent
				break
			}
			if !errors.Is(err, syscall.ECONNREFUSED) {
				t.Fatal(err)
			}
			<-time.After(100 * time.Millisecond)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("the honest client got in after %v", took)
		}
		cancel()
		attack.Wait()
		_ = l.Close() // ends Accept
		serving.Wait()
	})
}
