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
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dchat/chat"
	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/hosts"
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
	for _, scheme := range schemes {
		b.Run(scheme, func(b *testing.B) {
			w := newWay(b, scheme)
			var got counter
			listener := startNode(b, &counter{}, w.listening)
			dialer := startNode(b, &got, func(s *p2p.Settings) {
				w.dialling(s)
				s.Peers = w.aliases(listener, 0, 1)
			})
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

// BenchmarkP2Handshake is a channel from dialling until it can be used, and its end: the connection,
// what the transport has to say first, version and verack. Several nodes dial one at a time, so that
// the machine is busy. In a long run there are at least 1,000 a second over tcp, 200 over tcp+tls.
func BenchmarkP2Handshake(b *testing.B) {
	const dialers, long = 8, 1000
	least := map[string]float64{"tcp": 1000, "tcp+tls": 200}
	for _, scheme := range schemes {
		b.Run(scheme, func(b *testing.B) {
			w := newWay(b, scheme)
			listener := startNode(b, &counter{}, func(s *p2p.Settings) {
				w.listening(s)
				s.InboundConnections = 10 * dialers
			})
			to := w.aliases(listener, 0, 1)[0]
			var nodes []*p2p.P2p
			for range dialers {
				nodes = append(nodes, startNode(b, &counter{}, w.dialling))
			}
			var left atomic.Int64
			left.Store(int64(b.N))
			var all sync.WaitGroup
			b.ResetTimer()
			for _, dialer := range nodes {
				all.Go(func() {
					for left.Add(-1) >= 0 {
						if err := meet(b.Context(), dialer, to); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			rate := float64(b.N) / b.Elapsed().Seconds()
			b.ReportMetric(rate, "handshakes/s")
			if b.N >= long && rate < least[scheme] {
				b.Errorf("%.0f handshakes/s, want %.0f", rate, least[scheme])
			}
		})
	}
}

// meet opens a channel and ends it, as soon as the one before is gone.
func meet(ctx context.Context, node *p2p.P2p, to addr.Addr) error {
	for {
		_, release, err := node.Channel(ctx, to)
		if inUse := (*hosts.StateError)(nil); errors.As(err, &inUse) {
			<-time.After(50 * time.Microsecond)
			continue
		}
		if err == nil {
			release()
		}
		return err
	}
}

// BenchmarkIdle reports what an idle connection costs at both ends together.
func BenchmarkIdle(b *testing.B) {
	const peers = 200
	for _, scheme := range schemes {
		b.Run(scheme, func(b *testing.B) {
			for b.Loop() {
				w := newWay(b, scheme)
				listener := startNode(b, &counter{}, func(s *p2p.Settings) {
					w.listening(s)
					s.InboundConnections = peers
				})
				// One node that holds all the other ends, so that nothing but
				// connections is counted.
				dialer := startNode(b, &counter{}, w.dialling)
				before := inUse()
				for n := 50; n <= peers; n += 50 { // of more at a time some would be turned away, and wait
					settings := dialer.Settings()
					settings.Peers = w.aliases(listener, 0, n)
					if _, err := dialer.Reload(settings); err != nil {
						b.Fatal(err)
					}
					connected(b, listener, n)
					connected(b, dialer, n)
				}
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
			w := newWay(b, addr.TCP)
			var got counter
			listener := startNode(b, &counter{}, func(s *p2p.Settings) {
				w.listening(s)
				s.InboundConnections = peers
			})
			startNode(b, &got, func(s *p2p.Settings) {
				w.dialling(s)
				s.Peers = w.aliases(listener, 0, peers)
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
