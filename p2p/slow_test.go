package p2p_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/channel"
	"dchat/p2p/p2ptest"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

func TestR3APeerThatNeverReadsIsCutAndItsNeighbourGetsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory())
		n.greeted() // and never reads again
		deaf := n.channel()
		neighbour := n.greeted().Record()
		before := len(neighbour.Messages())
		start := time.Now()
		const messages = 2000 // of 1 KiB, 100 a second
		var cut time.Duration
		for i := range messages {
			if got, err := n.Broadcast(&text{fmt.Sprintf("%1024d", i)}); err != nil || got == 0 {
				t.Fatalf("broadcast %d was queued for %d peers, %v", i, got, err)
			}
			if queued := deaf.Stats().Queued; queued > n.Settings().SendQueue {
				t.Fatalf("%d bytes wait for the peer that does not read", queued)
			}
			<-time.After(10 * time.Millisecond)
			if cut == 0 && deaf.Err() != nil {
				cut = time.Since(start)
			}
		}
		wantReason(t, deaf, channel.ErrWriteTimeout)
		if cut == 0 || cut > 20*time.Second {
			t.Errorf("it was cut after %v, want at most 20s", cut)
		}
		synctest.Wait()
		texts := textsOf(t, neighbour.Messages()[before:])
		if len(texts) != messages {
			t.Fatalf("the neighbour got %d of %d texts", len(texts), messages)
		}
		for i, s := range texts {
			if strings.TrimSpace(s) != fmt.Sprint(i) {
				t.Fatalf("text %d is %s", i, strings.TrimSpace(s))
			}
		}
	})
}

// textsOf returns the texts among messages.
func textsOf(t *testing.T, messages []p2ptest.Recorded) []string {
	t.Helper()
	var texts []string
	for _, m := range messages {
		if m.Command != textCommand {
			continue
		}
		var s text
		if err := s.Decode(m.Payload); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, s.Text)
	}
	return texts
}

// The system takes megabytes for a peer before a write blocks, so much more than
// that has to be sent.
func TestR3OverRealSocketsMemoryStaysBounded(t *testing.T) {
	n := startNode(t, transport.Default(), func(s *p2p.Settings) { s.WriteTimeout = time.Second })
	n.greeted()
	deaf := n.channel()
	neighbour := n.greeted()
	big := strings.Repeat("x", 64<<10)
	const messages = 512 // 32 MiB
	heard := make(chan int)
	go func() {
		texts := 0
		defer func() { heard <- texts }()
		for texts < messages {
			m, err := neighbour.TryRead()
			if err != nil {
				return
			}
			if m.Command == textCommand {
				texts++
			}
		}
	}()
	start := time.Now()
	before := heap() // of what other tests have left, and of the test itself
	most := before
	for i := range messages {
		if err := n.Room(t.Context(), len(big)+100); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Broadcast(&text{big}); err != nil {
			t.Fatal(err)
		}
		if i%64 == 0 {
			most = max(most, heap())
		}
	}
	wantReason(t, deaf, channel.ErrWriteTimeout)
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it was cut after %v, want at most 20s", took)
	}
	if got := <-heard; got != messages {
		t.Errorf("the neighbour got %d of %d texts", got, messages)
	}
	sent := deaf.Stats().BytesOut
	t.Logf("cut after %d bytes; at most %d bytes of heap more than at the start", sent, most-before)
	if sent < 1<<20 || most-before > 16<<20 {
		t.Errorf("cut after %d bytes, with %d bytes of heap: want megabytes sent and at most 16 MiB used", sent, most-before)
	}
}

// heap returns how many bytes of heap are in use.
func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// readSlowly reads a part of a connection every 100 ms, until it ends. The
// channel that it returns is closed then.
func readSlowly(p *p2ptest.Peer, part int) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, part)
		for {
			if _, err := p.Conn().Read(b); err != nil {
				return
			}
			<-time.After(100 * time.Millisecond)
		}
	}()
	return done
}

func TestR5APeerThatReadsTooSlowlyIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory())
		p := n.greeted()
		slow := n.channel()
		start := time.Now()
		done := readSlowly(p, 100) // 1,000 bytes a second
		for slow.Err() == nil && time.Since(start) < time.Minute {
			_, _ = n.Broadcast(&text{strings.Repeat("x", 1<<10)}) // refused when its queue is full
			<-time.After(10 * time.Millisecond)
		}
		wantReason(t, slow, channel.ErrWriteTimeout)
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("it was cut after %v, want at most 30s", took)
		}
		p.Close(false)
		<-done
	})
}

func TestAPeerThatReadsFastEnoughGetsAllThatRoomWasMadeFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory(), func(s *p2p.Settings) { s.SendQueue = 64 << 10 })
		p := n.greeted()
		done := readSlowly(p, 4<<10) // 40 KiB a second
		start := time.Now()
		for range 12 {
			if err := n.Room(t.Context(), 33<<10); err != nil {
				t.Fatal(err)
			}
			n.broadcast(strings.Repeat("x", 32<<10), 1)
		}
		if took := time.Since(start); took < 5*time.Second {
			t.Errorf("it took only %v, so the peer was not slow", took)
		}
		p.Close(false)
		<-done
	})
}

func TestRoomWaitsForReadersAndNotForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory())
		n.greeted()        // never reads again
		for n.reaches(0) { // until its queue is full
			synctest.Wait()
		}
		if queued, limit := n.channel().Stats().Queued, n.Settings().SendQueue; queued < limit-(64<<10) || queued > limit {
			t.Errorf("the queue is full with %d bytes of %d", queued, limit)
		}
		start := time.Now()
		if err := n.Room(t.Context(), 64<<10); err != nil || time.Since(start) != 2*time.Second {
			t.Errorf("Room returned %v after %v, want nil after 2s", err, time.Since(start))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := n.Room(ctx, 64<<10); err == nil {
			t.Error("Room says nothing of its context's end")
		}
	})
}

func TestPingsGoBeforeWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory())
		p := n.greeted()
		for range 20 {
			n.broadcast(strings.Repeat("x", 32<<10), 1)
		}
		p.Send(&wire.Ping{Nonce: 7})
		synctest.Wait()
		var commands []string
		for range 21 {
			commands = append(commands, p.Read().Command)
			synctest.Wait()
		}
		if at := slices.Index(commands, wire.CommandPong); at < 0 || at > 5 {
			t.Errorf("the pong came as message %d of %v", at, commands)
		}
	})
}
