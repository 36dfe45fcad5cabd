package p2p_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/p2ptest"
	"dchat/p2p/transport"
)

// BenchmarkB6 is what both ends of a connection over loopback compute that a node
// refuses before TLS, and, to compare, one that a plain listener closes.
func BenchmarkB6(b *testing.B) {
	b.Run("a listener that closes everything", func(b *testing.B) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		var accepting sync.WaitGroup
		defer accepting.Wait()
		defer l.Close() //nolint:errcheck // nobody is connected
		accepting.Go(func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_ = conn.Close() // nothing was sent
			}
		})
		refusedDials(b, l.Addr().String())
	})
	b.Run("a node that refuses the host", func(b *testing.B) {
		s := p2p.DefaultSettings()
		s.Inbound = []addr.Addr{addr.MustParse("tcp+tls://127.0.0.1:0")}
		s.OutboundConnections = 0
		s.Blacklist = []p2p.BlacklistEntry{{Host: "127.0.0.1"}}
		n, err := p2p.New(s)
		if err != nil {
			b.Fatal(err)
		}
		if err := n.Start(b.Context()); err != nil {
			b.Fatal(err)
		}
		defer func() {
			if err := n.Stop(context.WithoutCancel(b.Context())); err != nil {
				b.Error(err)
			}
		}()
		refusedDials(b, n.Addrs()[0].HostPort())
	})
}

func refusedDials(b *testing.B, to string) {
	b.Helper()
	begin := cpuTime(b)
	for b.Loop() {
		conn, err := net.Dial("tcp", to)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil {
			b.Fatal("something was said")
		}
		_ = conn.Close() // nothing was sent
	}
	b.ReportMetric(float64((cpuTime(b)-begin).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// cpuTime is how long the process has computed until now.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// TestH12TenThousandConnectionsTakeFewGoroutinesAndLittleMemory connects far more often than there are places, over real sockets, and keeps
// as many connections open as it can.
func TestH12TenThousandConnectionsTakeFewGoroutinesAndLittleMemory(t *testing.T) {
	const connections, slots, mostGreeting = 10_000, 256, 64
	n := startNode(t, transport.Default(), func(s *p2p.Settings) {
		s.InboundConnections = slots
		s.Inbound = []addr.Addr{addr.MustParse("tcp+tls://127.0.0.1:0")}
	})
	to := n.Addrs()[0].HostPort()
	resident := residentSize(t)
	goroutines := runtime.NumGoroutine()
	most := 0
	var mu sync.Mutex
	var held []net.Conn
	var callers sync.WaitGroup
	const workers = 4
	for w := range workers {
		callers.Go(func() {
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(w+1))}}
			for range connections / workers {
				conn, err := dialer.Dial("tcp", to)
				if err != nil {
					t.Errorf("dial: %v", err)
					return
				}
				mu.Lock()
				most = max(most, runtime.NumGoroutine())
				if held = append(held, conn); len(held) > 500 {
					_ = held[0].Close() // the node has closed it, or will
					held = held[1:]
				}
				mu.Unlock()
			}
		})
	}
	callers.Wait()
	grown := int64(residentSize(t)) - int64(resident)
	t.Logf("%d goroutines at most, from %d; %d KiB more", most, goroutines, grown>>10)
	if most > goroutines+workers+3*mostGreeting {
		t.Errorf("%d goroutines at most, %d before; want 3 for each of %d", most, goroutines, mostGreeting)
	}
	if grown > 32<<20 {
		t.Errorf("%d KiB more are in use, want 32 MiB at most", grown>>10)
	}
	begin := time.Now()
	eventually(t, "an honest peer is greeted", func() bool {
		conn, err := n.set.Dial(t.Context(), n.Addrs()[0])
		if err != nil {
			return false
		}
		p := p2ptest.NewPeer(t, conn)
		_, err = p.TryRead()
		return err == nil
	})
	t.Logf("an honest peer was greeted after %v", time.Since(begin))
	for _, conn := range held {
		if err := conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	}
}

// residentSize is how much memory the process really has, in bytes.
func residentSize(t *testing.T) uint64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skipf("this system does not say how much memory a process has: %v", err)
	}
	var size, resident uint64
	if _, err := fmt.Sscan(string(b), &size, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * uint64(os.Getpagesize())
}
