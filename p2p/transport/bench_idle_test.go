package transport_test

import (
	"errors"
	"runtime"
	"sync"
	"testing"

	"dchat/p2p/transport"
)

// BenchmarkIdle is what one end of a connection takes while nothing happens, read by a
// goroutine with a buffer of 4 KiB.
func BenchmarkIdle(b *testing.B) {
	for _, c := range []struct {
		name      string
		transport transport.Transport
		listen    string
	}{
		{"tcp", &transport.TCP{}, "tcp://127.0.0.1:0"},
		{"tls", &transport.TLS{Over: &transport.TCP{}}, "tcp+tls://127.0.0.1:0"},
		{"quic", &transport.QUIC{}, "quic://127.0.0.1:0"},
	} {
		b.Run(c.name, func(b *testing.B) {
			const pairs = 200
			l := mustListen(b, c.transport, c.listen)
			var ends [2 * pairs]transport.Conn
			var reading sync.WaitGroup
			heap, stack, goroutines := inUse()
			for i := 0; i < len(ends); i += 2 {
				ends[i], ends[i+1] = bytePair(b, c.transport, l)
			}
			for _, end := range ends {
				reading.Go(func() { _, _ = end.Read(make([]byte, 4096)) }) // until it is closed
			}
			for b.Loop() {
				runtime.Gosched() // the figures are not of time
			}
			heapNow, stackNow, goroutinesNow := inUse()
			b.ReportMetric(float64(heapNow-heap)/float64(len(ends)), "heap-B/end")
			b.ReportMetric(float64(stackNow-stack)/float64(len(ends)), "stack-B/end")
			b.ReportMetric(float64(goroutinesNow-goroutines)/float64(len(ends)), "goroutines/end")
			for _, end := range ends {
				_ = end.Close() // nothing is under way
			}
			reading.Wait()
		})
	}
}

// bytePair makes a connection over which a byte has been passed each way.
func bytePair(b *testing.B, tr transport.Transport, l transport.Listener) (dialled, accepted transport.Conn) {
	dialling := make(chan error, 1)
	go func() {
		var err error
		if dialled, err = tr.Dial(b.Context(), l.Addr()); err == nil {
			err = passByte(dialled)
		}
		dialling <- err
	}()
	accepted, err := l.Accept()
	if err == nil {
		err = transport.Handshake(b.Context(), accepted)
	}
	if err == nil {
		err = passByte(accepted)
	}
	if err := errors.Join(err, <-dialling); err != nil {
		b.Fatal(err)
	}
	return dialled, accepted
}

func inUse() (heap, stack int64, goroutines int) {
	runtime.GC()
	runtime.GC() // what pools held goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), int64(m.StackInuse), runtime.NumGoroutine()
}
