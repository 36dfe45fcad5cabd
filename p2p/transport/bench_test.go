package transport_test

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
	"dchat/p2p/transport/sockstest"
)

// benchmarked is what connections are measured over, in the order of what it adds.
var benchmarked = []string{"tcp", "tcp+tls", "quic", "unix", "socks5", "socks5+tls", "mem", "mem+tls"}

// benchWay listens, and returns what is to be dialled over which transport to get there.
func benchWay(b *testing.B, name string) (transport.Listener, transport.Transport, addr.Addr) {
	b.Helper()
	set := transport.Default()
	base, tls := strings.CutSuffix(name, "+tls")
	under := strings.TrimPrefix(name, base)
	switch base {
	case "socks5":
		_, proxy := sockstest.Start(b, nil)
		l := mustListen(b, set["tcp"+under], "tcp"+under+"://127.0.0.1:0")
		return l, set[name], addr.MustParse(name + "://" + proxy + "/" + l.Addr().HostPort())
	case "unix":
		l := mustListen(b, set[name], "unix://"+filepath.Join(b.TempDir(), "s"))
		return l, set[name], l.Addr()
	case "mem":
		var t transport.Transport = transport.NewMem()
		if tls {
			t = &transport.TLS{Over: t}
		}
		l := mustListen(b, t, "tcp"+under+"://127.0.0.1:0")
		return l, t, l.Addr()
	}
	l := mustListen(b, set[name], name+"://127.0.0.1:0")
	return l, set[name], l.Addr()
}

// BenchmarkConnect is a connection's whole life, both ends in one process: dial
// and accept, with the handshake, a byte each way, close.
func BenchmarkConnect(b *testing.B) {
	for _, name := range benchmarked {
		b.Run(name, func(b *testing.B) {
			l, t, to := benchWay(b, name)
			served := make(chan error, 1)
			b.ReportAllocs()
			for b.Loop() {
				go func() { served <- serveByte(b.Context(), l) }()
				if err := dialByte(b.Context(), t, to); err != nil {
					b.Fatal(err)
				}
				if err := <-served; err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "conns/s")
		})
	}
}

func serveByte(ctx context.Context, l transport.Listener) error {
	c, err := l.Accept()
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // the peer has read the byte
	if err := transport.Handshake(ctx, c); err != nil {
		return err
	}
	if err := passByte(c); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, c) // the peer closes first, so that its port is free again
	return err
}

func dialByte(ctx context.Context, tr transport.Transport, a addr.Addr) error {
	c, err := tr.Dial(ctx, a)
	if err != nil {
		return err
	}
	if err := passByte(c); err != nil {
		return err
	}
	return c.Close()
}

// BenchmarkStream is bytes in writes of 4 KiB, read in pieces of 16 KiB at most.
func BenchmarkStream(b *testing.B) {
	for _, name := range benchmarked {
		b.Run(name, func(b *testing.B) {
			l, t, to := benchWay(b, name)
			read := make(chan error, 1)
			go func() { read <- discard(b.Context(), l) }()
			conn, err := t.Dial(b.Context(), to)
			if err != nil {
				b.Fatal(err)
			}
			block := make([]byte, 4096)
			b.SetBytes(int64(len(block)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := conn.Write(block); err != nil {
					b.Fatal(err)
				}
			}
			if err := conn.Close(); err != nil {
				b.Fatal(err)
			}
			if err := <-read; err != nil {
				b.Fatal(err)
			}
		})
	}
}

func discard(ctx context.Context, l transport.Listener) error {
	c, err := l.Accept()
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // nothing was sent
	if err := transport.Handshake(ctx, c); err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, make([]byte, 16<<10))
	return err
}
