package p2p_test

import (
	"context"
	"net"
	"syscall"
	"testing"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
)

// BenchmarkB6 is the whole cost, both ends, of a connection over loopback that is
// refused before TLS.
func BenchmarkB6(b *testing.B) {
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
	to := n.Addrs()[0].HostPort()
	begin := cpuTime(b)
	for b.Loop() {
		conn, err := net.Dial("tcp", to)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil {
			b.Fatal("the node speaks to it")
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
