package channel

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/wire"
)

// talking makes a channel that can send notes and pings.
func talking(t *testing.T, c *Channel) {
	opens(t, c)
	for _, spec := range []wire.Spec{note{}.Spec(), wire.Ping{}.Spec()} {
		must(t, c.Subscribe(Subscription{Spec: spec, Handle: func([]byte) error { return nil }}))
	}
}

// fill sends notes until nothing moves and nothing more fits, and returns their
// number.
func fill(t *testing.T, f *fixture) int {
	n := 0
	for stuck := false; !stuck; synctest.Wait() {
		stuck = true
		for f.Send(t.Context(), note{strings.Repeat("x", 1024)}) == nil {
			stuck = false
			n++
		}
	}
	return n
}

func TestR3APeerThatNeverReadsIsCutAndMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil, func(c *Channel) { talking(t, c) })
		open(t, f)
		begin := time.Now()
		text, refused := strings.Repeat("x", 1024), 0
		for f.Err() == nil {
			if err := f.Send(t.Context(), note{text}); errors.Is(err, ErrQueueFull) {
				refused++
			}
			if queued := f.Stats().Queued; queued > 1<<20 {
				t.Fatalf("%d bytes are queued", queued)
			}
			time.Sleep(time.Millisecond)
		}
		if err := f.ended(t); !errors.Is(err, ErrWriteTimeout) {
			t.Errorf("ended with %v", err)
		}
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("cut after %v, want at most 20 s", took)
		}
		if refused == 0 || f.Stats().Refused == 0 {
			t.Error("nothing was refused although the queue was full")
		}
	})
}

func TestR5APeerThatReadsTooSlowlyIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil, func(c *Channel) { talking(t, c) })
		open(t, f)
		fill(t, f)
		begin := time.Now()
		for f.Err() == nil { // 1 KiB/s
			time.Sleep(time.Second)
			if _, err := io.CopyN(io.Discard, f.peer, 1024); err != nil {
				break
			}
		}
		if err := f.ended(t); !errors.Is(err, ErrWriteTimeout) {
			t.Errorf("ended with %v", err)
		}
		if took := time.Since(begin); took > 30*time.Second {
			t.Errorf("cut after %v, want at most 30 s", took)
		}
	})
}

func TestN5APeerAtTheLeastRateIsNotCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil, func(c *Channel) { talking(t, c) })
		open(t, f)
		fill(t, f)
		left := f.Stats().Queued
		for range left / 8000 { // 64 kbit/s
			time.Sleep(time.Second)
			_, err := io.CopyN(io.Discard, f.peer, 8000)
			must(t, err)
		}
		if err := f.Err(); err != nil {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestPingsGoBeforeWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil, func(c *Channel) { talking(t, c) })
		open(t, f)
		notes := fill(t, f)
		must(t, f.Send(t.Context(), wire.Ping{Nonce: 1}))
		before := 0
		for command, _ := f.read(t); command != "ping"; command, _ = f.read(t) {
			before++
		}
		// Only what was on its way when the ping was queued comes first: the
		// connection's 64 KiB and the writer's chunk.
		if most := (64<<10 + 2*chunk) / 1024; before > most {
			t.Errorf("%d of %d notes came before the ping, want at most %d", before, notes, most)
		}
	})
}

func TestRoomWaitsForAPeerThatReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil, func(c *Channel) { talking(t, c) })
		open(t, f)
		big := strings.Repeat("x", 60<<10)
		var reading sync.WaitGroup
		reading.Go(func() {
			for {
				if _, err := io.CopyN(io.Discard, f.peer, 32<<10); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		})
		begin := time.Now()
		for range 100 {
			f.Room(t.Context(), len(big)+64)
			must(t, f.Send(t.Context(), note{big}))
		}
		if took := time.Since(begin); took < time.Minute {
			t.Errorf("sent in %v: Room cannot have waited for the peer", took)
		}
		f.Abort(ErrStopped)
		reading.Wait()
	})
}

func TestRoomGivesUpOnAPeerThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil, func(c *Channel) { talking(t, c) })
		open(t, f)
		fill(t, f)
		begin := time.Now()
		f.Room(t.Context(), 2048)
		if took := time.Since(begin); took != stalled {
			t.Errorf("waited for %v, want %v", took, stalled)
		}
		f.Room(t.Context(), 2048)
		if took := time.Since(begin); took != stalled {
			t.Errorf("waited again, %v in all", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		f.Room(ctx, 2048)
	})
}

func TestAFrameLargerThanTheQueueFitsIntoAnEmptyOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, func(cfg *Config) { cfg.SendQueue = 64 << 10 }, func(c *Channel) { talking(t, c) })
		open(t, f)
		big := strings.Repeat("x", 1<<20)
		must(t, f.Send(t.Context(), note{big}))
		if _, got := f.read(t); got != big {
			t.Errorf("%d bytes arrived", len(got))
		}
	})
}

func TestWhatIsQueuedIsSentBeforeTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil, func(c *Channel) { talking(t, c) })
		open(t, f)
		const notes = 500
		for range notes {
			must(t, f.Send(t.Context(), note{strings.Repeat("x", 1000)}))
		}
		f.Close(ErrStopped)
		if err := f.Send(t.Context(), note{"late"}); !errors.Is(err, ErrClosed) {
			t.Errorf("a message after the end: %v", err)
		}
		for range notes {
			f.read(t)
		}
		if _, err := f.frames.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("after the last frame: %v, want the end of the stream between two frames", err)
		}
		must(t, f.peer.Close())
		if err := f.ended(t); !errors.Is(err, ErrStopped) {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestR4TheEndDoesNotWaitForAPeerThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil, func(c *Channel) { talking(t, c) })
		open(t, f)
		fill(t, f)
		begin := time.Now()
		f.Close(ErrStopped)
		_ = f.ended(t)
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("ended after %v, want at most 2 s", took)
		}
	})
}

func TestASlowPeerGetsAllThatIsQueuedWhenTheNodeStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil, func(c *Channel) { talking(t, c) })
		open(t, f)
		notes := fill(t, f)
		f.Close(ErrStopped)
		got := 0
		for {
			h, err := f.frames.Next()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.Error(err)
				}
				break
			}
			_, err = f.frames.Payload(1 << 20)
			must(t, err)
			if string(h.Command) == "note" {
				got++
			}
			time.Sleep(10 * time.Millisecond) // 100 KiB/s
		}
		must(t, f.peer.Close())
		_ = f.ended(t)
		if got != notes {
			t.Errorf("%d of %d notes arrived", got, notes)
		}
	})
}

func TestAPeerThatGaveCauseForTheEndIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil, func(c *Channel) { talking(t, c) })
		open(t, f)
		fill(t, f)
		var reading sync.WaitGroup
		reading.Go(func() {
			for {
				if _, err := io.CopyN(io.Discard, f.peer, 32<<10); err != nil {
					return
				}
				time.Sleep(500 * time.Millisecond)
			}
		})
		begin := time.Now()
		f.Close(&wire.Error{Kind: wire.Flood})
		_ = f.ended(t)
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("ended after %v", took)
		}
		reading.Wait()
	})
}

func TestThePeerHasAMomentToCloseFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil, func(c *Channel) { talking(t, c) })
		open(t, f)
		begin := time.Now()
		f.Close(ErrStopped)
		_ = f.ended(t)
		if took := time.Since(begin); took != lingerTime {
			t.Errorf("closed after %v, want %v", took, lingerTime)
		}
	})
}

func TestAnEncoderDoesNotOverwriteWhatIsNotSentYet(t *testing.T) {
	e := NewEncoder(wire.DefaultMagic)
	var frames []frame
	text := func(i int) string { return strings.Repeat(string(rune('a'+i%26)), 100) }
	for i := range 3 * blockSize / 100 {
		var f frame
		must(t, e.encode(note{text(i)}, &f))
		f.block.users.Add(1)
		frames = append(frames, f)
	}
	for i, f := range frames {
		if !strings.HasSuffix(string(f.bytes()), text(i)) {
			t.Fatalf("frame %d was overwritten", i)
		}
		f.block.release(1)
	}
	var big frame
	must(t, e.encode(note{strings.Repeat("x", 2*blockSize)}, &big))
	if big.size() < 2*blockSize {
		t.Errorf("a large frame has %d bytes", big.size())
	}
}

func TestABroadcastReachesThoseThatSpeakAndAllocatesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := NewEncoder(wire.DefaultMagic)
		speaks := start(t, nil, func(c *Channel) { talking(t, c) })
		open(t, speaks)
		silent := start(t, nil, func(c *Channel) { opens(t, c) })
		open(t, silent)
		ended := start(t, nil, func(c *Channel) { talking(t, c) })
		ended.Close(ErrStopped)
		all := []*Channel{speaks.Channel, silent.Channel, ended.Channel}
		queued, err := e.Broadcast(note{"hello"}, all)
		if queued != 1 || err != nil {
			t.Errorf("queued for %d, %v", queued, err)
		}
		if command, payload := speaks.read(t); command != "note" || payload != "hello" {
			t.Errorf("got %q %q", command, payload)
		}
		if _, err := e.Broadcast(over{}, all); !errors.Is(err, wire.ErrTooLarge) {
			t.Errorf("a message over its limit: %v", err)
		}
		var m wire.Message = note{"x"}
		if allocs := testing.AllocsPerRun(1000, func() {
			_, err := e.Broadcast(m, nil)
			must(t, err)
		}); allocs > 0 {
			t.Errorf("a broadcast allocates %v times", allocs)
		}
	})
}

// over is a message that is over the limit of its command.
type over struct{}

func (over) Spec() wire.Spec               { return wire.Spec{Command: "over", MaxPayload: 1} }
func (over) AppendPayload(b []byte) []byte { return append(b, "xx"...) }

func TestTheRingKeepsTheOrder(t *testing.T) {
	var r ring
	next, want := int32(0), int32(0)
	for round := range 200 {
		for range round % 7 {
			r.push(span{start: next, end: -1})
			next++
		}
		for range round % 5 {
			if s, ok := r.pop(); ok {
				if s.start != want {
					t.Fatalf("got %d, want %d", s.start, want)
				}
				want++
			}
		}
	}
	for s, ok := r.pop(); ok; s, ok = r.pop() {
		if s.start != want {
			t.Fatalf("got %d, want %d", s.start, want)
		}
		want++
	}
	if want != next {
		t.Errorf("%d of %d came out", want, next)
	}
}
