package wire_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"dchat/p2p/wire"
)

// watched is a stream that remembers how much room each read was offered, which is what the reader's buffer had left.
type watched struct {
	r       io.Reader
	rooms   []int
	arrived int
	check   func(room, arrived int) // or nil
}

func (w *watched) Read(p []byte) (int, error) {
	w.rooms = append(w.rooms, len(p))
	if w.check != nil {
		w.check(len(p), w.arrived)
	}
	n, err := w.r.Read(p)
	w.arrived += n
	return n, err
}

// endless repeats a stream for ever and fills every read.
type endless struct {
	stream []byte
	pos    int
	reads  int
}

func (e *endless) Read(p []byte) (int, error) {
	e.reads++
	n := 0
	for n < len(p) {
		c := copy(p[n:], e.stream[e.pos:])
		n += c
		e.pos = (e.pos + c) % len(e.stream)
	}
	return n, nil
}

// chat is a frame with a text of 128 bytes.
func chat(tb testing.TB) []byte {
	tb.Helper()
	return mustFrame(tb, text{Msg: strings.Repeat("x", 128)})
}

func readOne(tb testing.TB, fr *wire.FrameReader) {
	if _, err := fr.Next(); err != nil {
		tb.Fatal(err)
	}
	if _, err := fr.Payload(plenty); err != nil {
		tb.Fatal(err)
	}
}

// bytesPerRun returns how many bytes f allocates.
func bytesPerRun(runs int, f func()) uint64 {
	var before, after runtime.MemStats
	f()
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / uint64(runs)
}

func TestAnIdleReaderOwnsHalfAKiB(t *testing.T) {
	const idle = 512
	if size := unsafe.Sizeof(wire.FrameReader{}); size > idle {
		t.Errorf("a reader has %d bytes", size)
	}
	frame := chat(t)
	for name, burst := range map[string][]byte{
		"nothing":                     nil,
		"one frame":                   frame,
		"many frames":                 bytes.Repeat(frame, 5000),
		"many and a part":             append(bytes.Repeat(frame, 5000), frame[:100]...),
		"a large payload":             mustFrame(t, raw{"large", make([]byte, 300_000)}),
		"a large payload and a part":  append(mustFrame(t, raw{"large", make([]byte, 300_000)}), frame[:100]...),
		"a large payload, then small": append(mustFrame(t, raw{"large", make([]byte, 300_000)}), bytes.Repeat(frame, 50)...),
	} {
		w := &watched{r: io.MultiReader(bytes.NewReader(burst), bytes.NewReader(frame[:1]))}
		if _, err := readAll(w, plenty); err == nil {
			t.Fatal("no end")
		}
		// The last reads find nothing: the reader waits in them for as long as the connection is silent.
		if room := w.rooms[len(w.rooms)-1]; room > idle {
			t.Errorf("after %s the reader waits with a buffer of at least %d bytes", name, room)
		}
	}
}

func TestManySmallFramesAreReadAtOnce(t *testing.T) {
	const frames = 100_000
	source := &endless{stream: chat(t)}
	fr := wire.NewFrameReader(source, wire.DefaultMagic)
	defer fr.Release()
	for range frames {
		readOne(t, fr)
	}
	if perRead := frames / source.reads; perRead < 400 {
		t.Errorf("%d frames in a read, want 400", perRead)
	}
}

func TestTheBufferGrowsWithWhatHasCome(t *testing.T) {
	stream := mustFrame(t, raw{"large", make([]byte, 1<<20)})
	for name, size := range map[string]int{"segments": 1448, "at once": len(stream), "a byte, then all": 1} {
		first := io.LimitReader(bytes.NewReader(stream), int64(size))
		rest := &pieces{stream: stream[min(size, len(stream)):], size: func() int { return max(size, 1448) }}
		w := &watched{r: io.MultiReader(first, rest), check: func(room, arrived int) {
			if room > max(64<<10, arrived) {
				t.Fatalf("%s: room for %d bytes when %d had come", name, room, arrived)
			}
			if arrived < 350 && room > 512 || arrived < 8<<10 && room > 8<<10 {
				t.Fatalf("%s: room for %d bytes when %d had come", name, room, arrived)
			}
		}}
		if frames, err := readAll(w, 1<<20); len(frames) != 1 || err != nil {
			t.Errorf("%s: %d frames, %v", name, len(frames), err)
		}
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	frame := chat(t)
	ping := mustFrame(t, wire.Ping{Nonce: 1})
	large := mustFrame(t, raw{"large", make([]byte, 300_000)})
	for name, c := range map[string]struct {
		source io.Reader
		frames int
		pools  bool // buffers go back and forth
	}{
		"under load":       {&endless{stream: frame}, 1000, false},
		"pings":            {&onePerRead{stream: ping}, 10, false},
		"bursts":           {&onePerRead{stream: bytes.Repeat(frame, 100)}, 1000, true},
		"large payloads":   {&onePerRead{stream: large}, 3, true},
		"large and small":  {&endless{stream: append(large, frame...)}, 10, true},
		"a command of 255": {&endless{stream: mustFrame(t, raw{strings.Repeat("c", 255), nil})}, 10, false},
	} {
		t.Run(name, func(t *testing.T) {
			fr := wire.NewFrameReader(c.source, wire.DefaultMagic)
			defer fr.Release()
			for range 5 * c.frames {
				readOne(t, fr)
			}
			allocs := testing.AllocsPerRun(20, func() {
				for range c.frames {
					readOne(t, fr)
				}
			})
			if allocs != 0 && (!c.pools || !raceEnabled) {
				t.Errorf("%v allocations for %d frames", allocs, c.frames)
			}
		})
	}
}

// onePerRead repeats a stream for ever; no read goes beyond its end, so that readers get short reads.
type onePerRead struct {
	stream []byte
	pos    int
}

func (o *onePerRead) Read(p []byte) (int, error) {
	n := copy(p, o.stream[o.pos:])
	o.pos = (o.pos + n) % len(o.stream)
	return n, nil
}

func TestWritingAllocatesNothing(t *testing.T) {
	for command, list := range samples {
		for _, m := range list {
			var m wire.Message = m
			buf := make([]byte, 0, len(mustFrame(t, m))+8)
			if allocs := testing.AllocsPerRun(100, func() {
				if _, err := wire.AppendFrame(buf, wire.DefaultMagic, m); err != nil {
					t.Fatal(err)
				}
			}); allocs != 0 {
				t.Errorf("%v allocations for %s", allocs, command)
			}
		}
	}
}

func TestDecodingAllocatesOnlyWhatTheMessageKeeps(t *testing.T) {
	for command, want := range map[string]float64{
		wire.CommandPing: 0, wire.CommandPong: 0, "DchatMsg": 1,
		wire.CommandVerack:  1, // the name; texts of one byte are shared
		wire.CommandGetAddr: 4, // the list, two texts and the decoder
	} {
		payload := samples[command][0].AppendPayload(nil)
		m := messages[command]()
		if allocs := testing.AllocsPerRun(100, func() {
			if err := m.Decode(payload); err != nil {
				t.Fatal(err)
			}
		}); allocs != want {
			t.Errorf("%v allocations for %s, want %v", allocs, command, want)
		}
	}
}

func TestClaimsInHeadersCostNothing(t *testing.T) {
	magic := string(wire.DefaultMagic[:])
	for name, claim := range map[string]string{
		"command of 256 bytes":      magic + "\xfd\x00\x01",
		"command of 2^16 bytes":     magic + "\xfe\x00\x00\x01\x00",
		"command of 2^63 bytes":     magic + "\xff\x00\x00\x00\x00\x00\x00\x00\x80",
		"payload over the limit":    magic + "\x05large\xfe\x01\x00\x10\x00",
		"payload of 2^32 bytes":     magic + "\x05large\xff\x00\x00\x00\x00\x01\x00\x00\x00",
		"payload of 2^64-1 bytes":   magic + "\x05large\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		"payload within the limit":  magic + "\x05large\xfe\x00\x00\x10\x00",
		"the same and some of it":   magic + "\x05large\xfe\x00\x00\x10\x00" + strings.Repeat("x", 300),
		"payload without a command": magic + "\x00\xfe\x00\x00\x10\x00",
	} {
		if got := bytesPerRun(200, func() {
			if _, err := readAll(strings.NewReader(claim), 1<<20); err == nil {
				t.Fatal("no error")
			}
		}); got > 2<<10 {
			t.Errorf("%s: %d bytes, reader and error included", name, got)
		}
	}
}

func TestHostileCountsCostNothing(t *testing.T) {
	counts := [][]byte{{0xfc}, {0xfd, 0xff, 0xff}, {0xfe, 0xff, 0xff, 0xff, 0xff}, {0xff, 0, 0, 0, 0, 0, 1, 0, 0},
		{0xff, 0, 0, 0, 0, 0, 0, 0, 0x80}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}
	for command, list := range samples {
		t.Run(command, func(t *testing.T) {
			m := messages[command]()
			sample := list[0].AppendPayload(nil)
			for at := range sample {
				for _, count := range counts {
					payload := bytes.Join([][]byte{sample[:at], count, sample[at+1:]}, nil)
					if got := bytesPerRun(10, func() { _ = m.Decode(payload) }); got > memoryBound(len(payload)) {
						t.Fatalf("%d bytes for a payload of %d: %x", got, len(payload), payload)
					}
				}
			}
		})
	}
}

// memoryBound is the most that decoding may allocate. Small items cost more in memory than on the wire: an empty text takes
// one byte there and 16 here, an address at least 3 and 32. The rest is for an error and for the measuring itself.
func memoryBound(payload int) uint64 { return uint64(16*payload) + 2<<10 }

func TestListsOfTheSmallestItemsAreBounded(t *testing.T) {
	const parsing = 256 // bytes that normalising one address takes for a moment
	entries := bytes.Repeat([]byte("\x02a:\x01\x02\x03\x04\x05\x06\x07\x08"), 5934)
	minimal := samples[wire.CommandVersion][2].AppendPayload(nil)
	external := append(wire.AppendVarInt(minimal[:len(minimal)-2], 600), bytes.Repeat([]byte("\x02a:"), 600)...)
	for _, c := range []struct {
		command   string
		payload   []byte
		addresses int
	}{
		{wire.CommandGetAddr, append([]byte{0, 0, 0, 0, 52}, make([]byte, 52)...), 0},
		{wire.CommandAddr, append(wire.AppendVarInt(nil, 5934), entries...), 5934},
		{wire.CommandVersion, append(external, 0), 601},
	} {
		m := messages[c.command]()
		got := bytesPerRun(20, func() {
			if err := m.Decode(c.payload); err != nil {
				t.Fatal(err)
			}
		})
		if bound := memoryBound(len(c.payload)) + uint64(c.addresses*parsing); got > bound {
			t.Errorf("%s: %d bytes for a payload of %d, bound %d", c.command, got, len(c.payload), bound)
		}
	}
}

func TestRandomPayloadsCostLittle(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for command, list := range samples {
		m := messages[command]()
		total := 0
		cost := bytesPerRun(20_000, func() {
			payload := list[0].AppendPayload(nil)
			for range 1 + random.IntN(4) {
				payload[random.IntN(len(payload))] = byte(random.Uint32())
			}
			total += len(payload)
			_ = m.Decode(payload)
		})
		if bound := memoryBound(total / 20_000); cost > bound {
			t.Errorf("%s: %d bytes on average, bound %d", command, cost, bound)
		}
	}
}
