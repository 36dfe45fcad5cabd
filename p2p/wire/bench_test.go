package wire_test

import (
	"bytes"
	"io"
	"net"
	"testing"

	"dchat/p2p/wire"
)

func BenchmarkAppendFrame(b *testing.B) {
	for name, m := range map[string]wire.Message{
		"ping":    samples[wire.CommandPing][0],
		"version": samples[wire.CommandVersion][0],
		"text252": samples["DchatMsg"][1],
		"text70k": samples["DchatMsg"][2],
	} {
		b.Run(name, func(b *testing.B) {
			buf := mustFrame(b, m)
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			for b.Loop() {
				buf, _ = wire.AppendFrame(buf[:0], wire.DefaultMagic, m)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, command := range []string{wire.CommandPing, wire.CommandVersion, wire.CommandAddr, "DchatMsg"} {
		b.Run(command, func(b *testing.B) {
			payload := samples[command][0].AppendPayload(nil)
			m := messages[command]()
			b.ReportAllocs()
			for b.Loop() {
				if err := m.Decode(payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFrameReader(b *testing.B) {
	for name, stream := range map[string][]byte{
		"ping":    mustFrame(b, wire.Ping{Nonce: 1}),
		"text128": chat(b),
		"text70k": mustFrame(b, samples["DchatMsg"][2]),
	} {
		b.Run(name, func(b *testing.B) {
			fr := wire.NewFrameReader(&endless{stream: stream}, wire.DefaultMagic)
			defer fr.Release()
			b.SetBytes(int64(len(stream)))
			b.ReportAllocs()
			for b.Loop() {
				readOne(b, fr)
			}
		})
	}
}

// BenchmarkLoopback reads texts of 128 bytes from a TCP connection whose other end writes as fast as it can in blocks of 32
// KiB. The raw case reads the same stream without looking at it: it bounds what any reader can reach.
func BenchmarkLoopback(b *testing.B) {
	for _, name := range []string{"raw", "frames"} {
		b.Run(name, func(b *testing.B) {
			frame := chat(b)
			conn, stop := feed(b, bytes.Repeat(frame, 32<<10/len(frame)))
			defer stop()
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			if name == "raw" {
				buf := make([]byte, 64<<10)
				left := 0
				for b.Loop() {
					for left < len(frame) {
						n, err := conn.Read(buf)
						if err != nil {
							b.Fatal(err)
						}
						left += n
					}
					left -= len(frame)
				}
				return
			}
			fr := wire.NewFrameReader(conn, wire.DefaultMagic)
			defer fr.Release()
			for b.Loop() {
				readOne(b, fr)
			}
		})
	}
}

// feed returns a connection whose other end repeats a block until stop is called.
func feed(b *testing.B, block []byte) (conn io.Reader, stop func()) {
	b.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = l.Close() }()
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		for err == nil {
			_, err = c.Write(block)
		}
	}()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	return c, func() { _ = c.Close(); <-done }
}
