package transporttest

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"dchat/p2p/transport"
)

// exchange has each end send a byte to the other.
func exchange(t *testing.T, ends ...transport.Conn) {
	t.Helper()
	for i, c := range ends {
		if _, err := c.Write([]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range ends {
		got := make([]byte, 1)
		if _, err := io.ReadFull(c, got); err != nil {
			t.Fatal(err)
		}
		if want := byte(len(ends) - 1 - i); got[0] != want {
			t.Fatalf("end %d got %d, want %d", i, got[0], want)
		}
	}
}

// noise returns n bytes that are the same for the same seed.
func noise(n int, seed byte) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b) // it never fails
	return b
}

func testEmpty(t *testing.T, s Subject) {
	dialled, accepted := connect(t, s, listen(t, s))
	for i, c := range []transport.Conn{dialled, accepted} {
		if n, err := c.Write(nil); n != 0 || err != nil {
			t.Errorf("end %d: Write: %d bytes, %v", i, n, err)
		}
		if n, err := c.Read(nil); n != 0 || err != nil {
			t.Errorf("end %d: Read: %d bytes, %v", i, n, err)
		}
	}
	exchange(t, dialled, accepted)
}

func testBothWays(t *testing.T, s Subject) {
	const size = 1 << 20
	dialled, accepted := connect(t, s, listen(t, s))
	var all sync.WaitGroup
	for i, c := range []transport.Conn{dialled, accepted} {
		all.Go(func() {
			if n, err := c.Write(noise(size, byte(i))); n != size || err != nil {
				t.Errorf("end %d wrote %d bytes: %v", i, n, err)
			}
		})
		all.Go(func() {
			got := make([]byte, size)
			if _, err := io.ReadFull(c, got); err != nil {
				t.Errorf("end %d: %v", i, err)
			}
			if !bytes.Equal(got, noise(size, byte(1-i))) {
				t.Errorf("end %d got other bytes than were sent", i)
			}
		})
	}
	all.Wait()
}

func testSlowReader(t *testing.T, s Subject) {
	const size, bite = 8 << 20, 128 << 10
	dialled, accepted := connect(t, s, listen(t, s))
	want := noise(size, 7)
	writing := inBackground(func() (int, error) {
		n, err := dialled.Write(want)
		return n, errors.Join(err, dialled.CloseWrite())
	})
	pause := time.NewTicker(time.Millisecond)
	defer pause.Stop()
	got := make([]byte, 0, size)
	for len(got) < size {
		<-pause.C
		n, err := io.ReadFull(accepted, got[len(got):len(got)+bite])
		got = got[:len(got)+n]
		if err != nil {
			t.Fatalf("after %d bytes: %v", len(got), err)
		}
	}
	if !bytes.Equal(got, want) {
		t.Error("got other bytes than were sent")
	}
	if n, err := accepted.Read(make([]byte, 1)); n != 0 || err != io.EOF { //nolint:errorlint // Read returns it bare
		t.Errorf("then %d bytes and %v, want io.EOF", n, err)
	}
	if n, err := writing(); n != size || err != nil {
		t.Errorf("wrote %d bytes: %v", n, err)
	}
}

func testConcurrentWrites(t *testing.T, s Subject) {
	const writers, blocks, size = 8, 20, 10000
	dialled, accepted := connect(t, s, listen(t, s))
	var all sync.WaitGroup
	defer all.Wait()
	for i := range writers {
		all.Go(func() {
			for range blocks {
				if _, err := dialled.Write(bytes.Repeat([]byte{byte(i)}, size)); err != nil {
					t.Errorf("writer %d: %v", i, err)
					return
				}
			}
		})
	}
	var count [writers]int
	block := make([]byte, size)
	for range writers * blocks {
		if _, err := io.ReadFull(accepted, block); err != nil {
			t.Error(err)
			return
		}
		if bytes.Count(block, block[:1]) != size {
			t.Error("a block is made of several writes")
			return
		}
		count[block[0]]++
	}
	for i, n := range count {
		if n != blocks {
			t.Errorf("%d blocks of writer %d, want %d", n, i, blocks)
		}
	}
}

func testConcurrentReads(t *testing.T, s Subject) {
	const readers, size = 4, 1 << 20
	dialled, accepted := connect(t, s, listen(t, s))
	counts := make(chan [256]int, readers)
	for range readers {
		go func() {
			var count [256]int
			buf := make([]byte, 1000)
			for {
				n, err := accepted.Read(buf)
				for _, b := range buf[:n] {
					count[b]++
				}
				if err != nil {
					counts <- count
					return
				}
			}
		}()
	}
	var want [256]int
	sent := noise(size, 3)
	for _, b := range sent {
		want[b]++
	}
	if _, err := dialled.Write(sent); err != nil {
		t.Error(err)
	}
	if err := dialled.CloseWrite(); err != nil {
		t.Error(err)
	}
	var got [256]int
	for range readers {
		for b, n := range <-counts {
			got[b] += n
		}
	}
	if got != want {
		t.Error("together the readers got other bytes than were sent")
	}
}

func testHalfClose(t *testing.T, s Subject) {
	dialled, accepted := connect(t, s, listen(t, s))
	for i, pair := range [][2]transport.Conn{{dialled, accepted}, {accepted, dialled}} {
		ending, other := pair[0], pair[1]
		if _, err := ending.Write([]byte("the last")); err != nil {
			t.Fatalf("half %d: %v", i, err)
		}
		if err := ending.CloseWrite(); err != nil {
			t.Fatalf("half %d: %v", i, err)
		}
		if got, err := io.ReadAll(other); string(got) != "the last" || err != nil {
			t.Errorf("half %d: read %q, %v, want what was written and its end", i, got, err)
		}
		if _, err := ending.Write([]byte("more")); err == nil {
			t.Errorf("half %d: Write after CloseWrite succeeded", i)
		}
	}
}
