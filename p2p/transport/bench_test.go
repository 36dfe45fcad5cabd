package transport_test

import (
	"context"
	"io"
	"testing"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// BenchmarkConnect is a connection's whole life, both ends in one process: dial
// and accept, with the handshake, a byte each way, close.
func BenchmarkConnect(b *testing.B) {
	mem := transport.NewMem()
	for _, c := range []struct {
		name      string
		transport transport.Transport
		listen    string
	}{
		{"tcp", &transport.TCP{}, "tcp://127.0.0.1:0"},
		{"tls", &transport.TLS{Over: &transport.TCP{}}, "tcp+tls://127.0.0.1:0"},
		{"mem", mem, "tcp://127.0.0.1:0"},
		{"mem-tls", &transport.TLS{Over: mem}, "tcp+tls://127.0.0.1:0"},
	} {
		b.Run(c.name, func(b *testing.B) {
			l := mustListen(b, c.transport, c.listen)
			served := make(chan error, 1)
			b.ReportAllocs()
			for b.Loop() {
				go func() { served <- serveByte(b.Context(), l) }()
				if err := dialByte(b.Context(), c.transport, l.Addr()); err != nil {
					b.Fatal(err)
				}
				if err := <-served; err != nil {
					b.Fatal(err)
				}
			}
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
	mem := transport.NewMem()
	for _, c := range []struct {
		name      string
		transport transport.Transport
		listen    string
	}{
		{"tcp", &transport.TCP{}, "tcp://127.0.0.1:0"},
		{"tls", &transport.TLS{Over: &transport.TCP{}}, "tcp+tls://127.0.0.1:0"},
		{"mem", mem, "tcp://127.0.0.1:0"},
	} {
		b.Run(c.name, func(b *testing.B) {
			l := mustListen(b, c.transport, c.listen)
			read := make(chan error, 1)
			go func() { read <- discard(b.Context(), l) }()
			conn, err := c.transport.Dial(b.Context(), l.Addr())
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
