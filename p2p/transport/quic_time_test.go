package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go/testutils/simnet"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// udpNet is a network of UDP sockets in memory. Everything takes udpLatency to arrive.
type udpNet struct {
	mu    sync.Mutex
	ends  map[string]simnet.PacketReceiver
	ports int
	drop  func(p simnet.Packet) bool // nil drops nothing
}

const udpLatency = 10 * time.Millisecond

func newUDPNet() *udpNet { return &udpNet{ends: make(map[string]simnet.PacketReceiver), ports: 40000} }

// node is a QUIC transport on a host of this network.
func (n *udpNet) node(ip string) *transport.QUIC {
	q := &transport.QUIC{}
	q.OpenWith(func(_ string, at netip.AddrPort) (transport.QUICPort, error) {
		return n.end(ip, int(at.Port())), nil
	})
	return q
}

// end opens a socket on a host of this network; port 0 is any.
func (n *udpNet) end(ip string, port int) *udpEnd {
	if port == 0 {
		n.mu.Lock()
		n.ports++
		port = n.ports
		n.mu.Unlock()
	}
	return &udpEnd{SimConn: simnet.NewSimConn(&net.UDPAddr{IP: net.ParseIP(ip), Port: port}, n), net: n}
}

// dropping changes what is dropped.
func (n *udpNet) dropping(drop func(p simnet.Packet) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.drop = drop
}

func (n *udpNet) AddNode(at net.Addr, r simnet.PacketReceiver) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ends[at.String()] = r
}

func (n *udpNet) SendPacket(p simnet.Packet) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if to := n.ends[p.To.String()]; to != nil && (n.drop == nil || !n.drop(p)) {
		time.AfterFunc(udpLatency, func() { to.RecvPacket(p) })
	}
	return nil
}

// udpEnd is a socket that leaves the network when it is closed.
type udpEnd struct {
	*simnet.SimConn
	net  *udpNet
	dead atomic.Bool // its host is off
}

func (e *udpEnd) WriteTo(p []byte, to net.Addr) (int, error) {
	if e.dead.Load() {
		return len(p), nil
	}
	return e.SimConn.WriteTo(p, to)
}

func (e *udpEnd) Close() error {
	e.net.mu.Lock()
	delete(e.net.ends, e.LocalAddr().String())
	e.net.mu.Unlock()
	return e.SimConn.Close()
}

// pairOf returns two ends of a connection between two hosts of a network; the dialler
// has said a byte.
func (n *udpNet) pairOf(t *testing.T) (dialled, accepted transport.Conn) {
	t.Helper()
	l := mustListen(t, n.node("127.6.6.6"), "quic://127.6.6.6:7000")
	dialler := n.node("127.9.9.9")
	dialled, err := dialler.Dial(t.Context(), l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if accepted, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	if _, err := dialled.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if err := shakeHands(t.Context(), accepted); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(accepted, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = dialled.Close() // the test may have closed it
		_ = accepted.Close()
		dialler.Settle(context.WithoutCancel(t.Context()))
	})
	return dialled, accepted
}

func all(simnet.Packet) bool { return true }

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
