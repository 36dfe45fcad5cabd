package chat_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dchat/chat"
	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/protocol"
	"dchat/p2p/wire"
)

// counter is a protocol that only counts the chat texts that arrive, so that what
// is measured ends where the application begins.
type counter struct{ n atomic.Int64 }

func (c *counter) registration() protocol.Registration {
	return protocol.Registration{Name: "counter", Sessions: channel.Default, New: func(ch *channel.Channel, _ protocol.Node) (protocol.Protocol, error) {
		return nil, ch.Subscribe(channel.Subscription{Spec: chat.Message{}.Spec(), Handle: func([]byte) error {
			c.n.Add(1)
			return nil
		}})
	}}
}

func (c *counter) wait(b *testing.B, n int) {
	for c.n.Load() < int64(n) {
		if b.Context().Err() != nil {
			b.Fatal("interrupted")
		}
		runtime.Gosched()
	}
}

// startNode starts a node that counts on a real loopback socket.
func startNode(b *testing.B, c *counter, change func(*p2p.Settings)) *p2p.P2p {
	settings := p2p.DefaultSettings()
	settings.OutboundConnections = 0
	change(&settings)
	node, err := p2p.New(settings)
	if err != nil {
		b.Fatal(err)
	}
	if err := node.Register(c.registration()); err != nil {
		b.Fatal(err)
	}
	if err := node.Start(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := node.Stop(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return node
}

// connected waits until the node has so many peers, and has said to each all that
// two nodes say at first: version, verack, getaddr, addr, ping and pong.
func connected(b *testing.B, node *p2p.P2p, n int) {
	const first = 6
	settled := func() bool {
		peers := node.Channels()
		for _, ch := range peers {
			if s := ch.Stats(); s.MessagesIn < first || s.MessagesOut < first {
				return false
			}
		}
		return len(peers) == n
	}
	for !settled() {
		if b.Context().Err() != nil {
			b.Fatal("interrupted")
		}
		runtime.Gosched()
	}
}

// BenchmarkHop sends 128-byte texts over one connection: the bytes of their
// frames through a bare TCP connection, coalesced as well as can be, and the texts
// from node to node.
func BenchmarkHop(b *testing.B) {
	text := &chat.Message{Text: strings.Repeat("x", 128)}
	frame, err := wire.AppendFrame(nil, wire.DefaultMagic, text)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("raw", func(b *testing.B) { rawHop(b, frame) })
	for _, scheme := range []string{"tcp", "tcp+tls"} {
		b.Run(scheme, func(b *testing.B) {
			var got counter
			listener := startNode(b, &counter{}, func(s *p2p.Settings) { s.Inbound = []addr.Addr{addr.MustParse(scheme + "://127.0.0.1:0")} })
			dialer := startNode(b, &got, func(s *p2p.Settings) { s.Peers = listener.Addrs() })
			connected(b, listener, 1)
			connected(b, dialer, 1)
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if err := listener.Room(b.Context(), len(frame)); err != nil {
					b.Fatal(err)
				}
				if queued, err := listener.Broadcast(text); queued != 1 || err != nil {
					b.Fatal(queued, err)
				}
				n++
			}
			got.wait(b, n)
		})
	}
}

func rawHop(b *testing.B, frame []byte) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	got := make(chan int64, 1)
	go func() {
		defer close(got)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		// The wrappers hide what would let the copy bypass the buffer.
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{conn}, make([]byte, 64<<10))
		if errors.Join(err, conn.Close()) == nil {
			got <- n
		}
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(conn, 32<<10)
	b.SetBytes(int64(len(frame)))
	n := 0
	for b.Loop() {
		if _, err := w.Write(frame); err != nil {
			b.Fatal(err)
		}
		n++
	}
	if err := errors.Join(w.Flush(), conn.Close()); err != nil {
		b.Fatal(err)
	}
	if got := <-got; got != int64(n*len(frame)) {
		b.Fatalf("%d bytes arrived, want %d", got, n*len(frame))
	}
	if err := l.Close(); err != nil {
		b.Error(err)
	}
}

// aliases are so many addresses that lead to one, so that each is a peer.
func aliases(a addr.Addr, n int) (all []addr.Addr) {
	for i := range n {
		all = append(all, addr.MustParse(fmt.Sprintf("%v%d", a, i)))
	}
	return all
}

// BenchmarkIdle reports what an idle connection costs at both ends together.
func BenchmarkIdle(b *testing.B) {
	const peers = 200
	for _, scheme := range []string{"tcp", "tcp+tls"} {
		b.Run(scheme, func(b *testing.B) {
			for b.Loop() {
				before := inUse()
				listener := startNode(b, &counter{}, func(s *p2p.Settings) {
					s.Inbound, s.InboundConnections = []addr.Addr{addr.MustParse(scheme + "://127.0.0.1:0")}, peers
				})
				// One node that holds all the other ends, so that nothing but
				// connections is counted.
				dialer := startNode(b, &counter{}, func(s *p2p.Settings) {
					s.Peers = aliases(listener.Addrs()[0], peers)
				})
				connected(b, listener, peers)
				connected(b, dialer, peers)
				b.ReportMetric(float64(inUse()-before)/peers, "B/conn")
				begin := time.Now()
				if err := listener.Stop(context.Background()); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(time.Since(begin).Milliseconds()), "ms/stop")
				if err := dialer.Stop(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// inUse is the memory of all live objects and stacks.
func inUse() uint64 {
	for range 4 { // stacks shrink by half each time
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// BenchmarkStart measures from nothing to listening.
func BenchmarkStart(b *testing.B) {
	settings := p2p.DefaultSettings()
	settings.Inbound = []addr.Addr{addr.MustParse("tcp://127.0.0.1:0"), addr.MustParse("tcp+tls://127.0.0.1:0")}
	for b.Loop() {
		node, err := p2p.New(settings)
		if err != nil {
			b.Fatal(err)
		}
		if err := node.Start(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := node.Stop(context.Background()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkBroadcast measures one text to many peers that read.
func BenchmarkBroadcast(b *testing.B) {
	text := &chat.Message{Text: strings.Repeat("x", 128)}
	for _, peers := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("%d peers", peers), func(b *testing.B) {
			var got counter
			listener := startNode(b, &counter{}, func(s *p2p.Settings) {
				s.Inbound, s.InboundConnections = []addr.Addr{addr.MustParse("tcp://127.0.0.1:0")}, peers
			})
			startNode(b, &got, func(s *p2p.Settings) {
				s.Peers = aliases(listener.Addrs()[0], peers)
			})
			connected(b, listener, peers)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if err := listener.Room(b.Context(), 256); err != nil {
					b.Fatal(err)
				}
				queued, err := listener.Broadcast(text)
				if err != nil {
					b.Fatal(err)
				}
				n += queued
			}
			got.wait(b, n)
		})
	}
}
