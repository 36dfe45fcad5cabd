package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"dchat/p2p/wire"
)

// conversation is a stream of frames of all sizes, and what is to be read from it.
func conversation(tb testing.TB) ([]byte, []frame) {
	tb.Helper()
	var stream []byte
	var want []frame
	add := func(m wire.Message) {
		stream = append(stream, mustFrame(tb, m)...)
		want = append(want, frame{m.Spec().Command, string(m.AppendPayload(nil))})
	}
	for _, command := range []string{
		wire.CommandVersion, wire.CommandVerack, wire.CommandPing, wire.CommandPong, wire.CommandGetAddr, wire.CommandAddr,
	} {
		for _, m := range samples[command] {
			add(m)
		}
	}
	for _, command := range []string{"", "PING", "é", "nul\x00", strings.Repeat("c", 252), strings.Repeat("c", 253), strings.Repeat("c", 255)} {
		add(raw{command, nil})
		add(raw{command, []byte("payload")})
	}
	for _, size := range []int{0, 1, 252, 253, 340, 352, 353, 1000} {
		add(raw{"sized", bytes.Repeat([]byte{byte(size)}, size)})
	}
	return stream, want
}

func TestFramesAreReadHoweverTheStreamIsCut(t *testing.T) {
	stream, want := conversation(t)
	readers := map[string]func() io.Reader{
		"in one piece":     func() io.Reader { return bytes.NewReader(stream) },
		"byte by byte":     func() io.Reader { return iotest.OneByteReader(bytes.NewReader(stream)) },
		"in halves":        func() io.Reader { return iotest.HalfReader(bytes.NewReader(stream)) },
		"error with data":  func() io.Reader { return iotest.DataErrReader(bytes.NewReader(stream)) },
		"with empty reads": func() io.Reader { return &pieces{stream: stream, size: func() int { return rand.IntN(3) }} },
		"in random pieces": func() io.Reader { return &pieces{stream: stream, size: func() int { return 1 + rand.IntN(700) }} },
	}
	for offset := range stream {
		readers[fmt.Sprintf("cut at %d", offset)] = func() io.Reader {
			return io.MultiReader(bytes.NewReader(stream[:offset]), bytes.NewReader(stream[offset:]))
		}
	}
	for name, reader := range readers {
		got, err := readAll(reader(), plenty)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: %d frames, want %d, and %v", name, len(got), len(want), err)
		}
	}
}

// pieces returns a stream in pieces of the sizes that size says.
type pieces struct {
	stream []byte
	size   func() int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.stream) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.stream[:min(p.size(), len(p.stream))])
	p.stream = p.stream[n:]
	return n, nil
}

func TestLargePayloadsAreReadHoweverTheyCome(t *testing.T) {
	payload := make([]byte, 2<<20)
	for i := range payload {
		payload[i] = byte(i * i >> 8)
	}
	var stream []byte
	var want []frame
	for _, size := range []int{8 << 10, 8<<10 + 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 100_000, 1<<20 + 5, 7} {
		stream = append(stream, mustFrame(t, raw{"large", payload[:size]})...)
		stream = append(stream, mustFrame(t, wire.Ping{Nonce: uint16(size)})...)
		want = append(want, frame{"large", string(payload[:size])}, frame{"ping", string(wire.Ping{Nonce: uint16(size)}.AppendPayload(nil))})
	}
	for name, size := range map[string]func() int{
		"at once":   func() int { return plenty },
		"segments":  func() int { return 1448 },
		"records":   func() int { return 16 << 10 },
		"at random": func() int { return rand.IntN(200_000) },
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readAll(&pieces{stream: stream, size: size}, plenty)
			if err != nil || len(got) != len(want) {
				t.Fatalf("%d frames, want %d, and %v", len(got), len(want), err)
			}
			for i := range got {
				if got[i] != want[i] {
					t.Errorf("frame %d differs", i)
				}
			}
		})
	}
}

func TestTenThousandFramesInOneSegment(t *testing.T) {
	var stream []byte
	for i := range 10_000 {
		stream, _ = wire.AppendFrame(stream, wire.DefaultMagic, wire.Ping{Nonce: uint16(i)})
	}
	frames, err := readAll(bytes.NewReader(stream), 2)
	if err != nil || len(frames) != 10_000 {
		t.Fatalf("%d frames, %v", len(frames), err)
	}
	for i, f := range frames {
		var m wire.Ping
		if err := m.Decode([]byte(f.Payload)); err != nil || m.Nonce != uint16(i) {
			t.Fatalf("frame %d is %+v, %v", i, m, err)
		}
	}
}

func TestACutStreamIsNobodysFault(t *testing.T) {
	broken := errors.New("connection reset")
	stream, want := conversation(t)
	ends := map[int]bool{0: true}
	for i, end := 0, 0; i < len(want); i++ {
		end += len(mustFrame(t, raw{want[i].Command, []byte(want[i].Payload)}))
		ends[end] = true
	}
	for offset := range len(stream) + 1 {
		for _, data := range []io.Reader{bytes.NewReader(stream[:offset]), iotest.DataErrReader(bytes.NewReader(stream[:offset]))} {
			_, err := readAll(data, plenty)
			if !ends[offset] {
				wantFailure(t, err, io.ErrUnexpectedEOF)
			} else if err != nil {
				t.Fatalf("cut between frames, at %d: %v", offset, err)
			}
		}
		_, err := readAll(io.MultiReader(bytes.NewReader(stream[:offset]), iotest.ErrReader(broken)), plenty)
		wantFailure(t, err, broken)
	}
}

func TestAStreamThatNeverReturnsDataEnds(t *testing.T) {
	_, err := readAll(&pieces{stream: []byte{1}, size: func() int { return 0 }}, plenty)
	wantFailure(t, err, io.ErrNoProgress)
}

func TestWrongHeadersAreThePeersFault(t *testing.T) {
	long := func(n int) string { return strings.Repeat("c", n) }
	magic := "\xd9\xef\xb6\x7d"
	for _, c := range []struct {
		name, stream string
		kind         wire.Kind
	}{
		{"wrong magic", "\xde\xad\xbe\xef\x04ping\x02\x01\x00", wire.BadMagic},
		{"wrong first byte of the magic, and no more", "\xda", wire.BadMagic},
		{"wrong last byte of the magic, and no more", "\xd9\xef\xb6\x7e", wire.BadMagic},
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", wire.BadMagic},
		{"command length 4 in 3 bytes", magic + "\xfd\x04\x00ping\x02\x01\x00", wire.BadHeader},
		{"command length 0xfc in 3 bytes", magic + "\xfd\xfc\x00" + long(252), wire.BadHeader},
		{"command length 4 in 5 bytes", magic + "\xfe\x04\x00\x00\x00ping\x02\x01\x00", wire.BadHeader},
		{"command length 0xffff in 5 bytes", magic + "\xfe\xff\xff\x00\x00", wire.BadHeader},
		{"command length 4 in 9 bytes", magic + "\xff\x04\x00\x00\x00\x00\x00\x00\x00ping\x02\x01\x00", wire.BadHeader},
		{"command length 2^32-1 in 9 bytes", magic + "\xff\xff\xff\xff\xff\x00\x00\x00\x00", wire.BadHeader},
		{"command of 256 bytes, not sent", magic + "\xfd\x00\x01", wire.CommandTooLong},
		{"command of 2^16 bytes, not sent", magic + "\xfe\x00\x00\x01\x00", wire.CommandTooLong},
		{"command of 2^63 bytes, not sent", magic + "\xff\x00\x00\x00\x00\x00\x00\x00\x80", wire.CommandTooLong},
		{"command of 2^64-1 bytes, not sent", magic + "\xff\xff\xff\xff\xff\xff\xff\xff\xff", wire.CommandTooLong},
		{"command that is not UTF-8, no more", magic + "\x02\xff\xfe", wire.BadHeader},
		{"command that ends inside a character", magic + "\x01\xc3\x00", wire.BadHeader},
		{"payload length 2 in 3 bytes", magic + "\x04ping\xfd\x02\x00\x01\x00", wire.BadPayload},
		{"payload length 0xfd in 5 bytes", magic + "\x04ping\xfe\xfd\x00\x00\x00", wire.BadPayload},
		{"payload length 2 in 9 bytes", magic + "\x04ping\xff\x02\x00\x00\x00\x00\x00\x00\x00", wire.BadPayload},
	} {
		t.Run(c.name, func(t *testing.T) {
			// A peer that keeps the connection open is found out too: nothing but the bytes shown is needed.
			for _, data := range []io.Reader{strings.NewReader(c.stream), iotest.OneByteReader(strings.NewReader(c.stream))} {
				good := mustFrame(t, wire.Ping{Nonce: 1})
				frames, err := readAll(io.MultiReader(bytes.NewReader(good), data, mustNotRead{t}), 2)
				wantFault(t, err, c.kind)
				if len(frames) != 1 {
					t.Errorf("%d frames before the wrong one, want 1", len(frames))
				}
			}
		})
	}
}

// mustNotRead is the end of what a reader needs.
type mustNotRead struct{ t *testing.T }

func (m mustNotRead) Read([]byte) (int, error) {
	m.t.Error("waited for more than was needed")
	return 0, io.EOF
}

func TestPayloadsOverTheLimitAreRefusedBeforeTheyCome(t *testing.T) {
	for command, empty := range messages {
		limit := empty().Spec().MaxPayload
		if limit == 0 {
			limit = 1 << 20
		}
		header := wire.AppendString(wire.DefaultMagic[:len(wire.DefaultMagic):len(wire.DefaultMagic)], command)
		for _, length := range []uint64{uint64(limit) + 1, 1 << 32, 1 << 63, 1<<64 - 1} {
			claim := wire.AppendVarInt(bytes.Clone(header), length)
			_, err := readAll(io.MultiReader(bytes.NewReader(claim), mustNotRead{t}), limit)
			wantFault(t, err, wire.BadPayload)
		}
		full := append(wire.AppendVarInt(bytes.Clone(header), uint64(limit)), make([]byte, limit)...)
		if frames, err := readAll(bytes.NewReader(full), limit); len(frames) != 1 || len(frames[0].Payload) != limit || err != nil {
			t.Errorf("%s at its limit: %d frames, %v", command, len(frames), err)
		}
	}
	for _, limit := range []int{0, -1} {
		_, err := readAll(bytes.NewReader(mustFrame(t, wire.Ping{})), limit)
		wantFault(t, err, wire.BadPayload)
	}
}

func TestAFrameHiddenInAPayloadIsNeverRead(t *testing.T) {
	hidden := append(wire.Ping{Nonce: 1}.AppendPayload(nil), mustFrame(t, wire.Ping{Nonce: 0xbad})...)
	stream := append(mustFrame(t, raw{"ping", hidden}), mustFrame(t, wire.Ping{Nonce: 3})...)
	frames, err := readAll(bytes.NewReader(stream), plenty)
	if len(frames) != 2 || err != nil {
		t.Fatalf("%d frames, %v", len(frames), err)
	}
	wantFault(t, new(wire.Ping).Decode([]byte(frames[0].Payload)), wire.BadPayload)
}

func TestNextAndPayloadAreCalledInTurns(t *testing.T) {
	fr := wire.NewFrameReader(bytes.NewReader(mustFrame(t, wire.Ping{Nonce: 1})), wire.DefaultMagic)
	if _, err := fr.Payload(2); err == nil {
		t.Error("a payload before the first header")
	}
	if _, err := fr.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := fr.Next(); err == nil {
		t.Error("a header where the payload is")
	}
	payload, err := fr.Payload(2)
	if err != nil || string(payload) != "\x01\x00" {
		t.Errorf("payload %x, %v after calls in the wrong order", payload, err)
	}
	if _, err := fr.Payload(2); err == nil {
		t.Error("a second payload")
	}
	if _, err := fr.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last frame: %v", err)
	}
}

func TestErrorsAreReturnedAgain(t *testing.T) {
	for name, stream := range map[string][]byte{
		"end":       nil,
		"cut":       mustFrame(t, wire.Ping{Nonce: 1})[:11],
		"magic":     []byte("GET /"),
		"too large": mustFrame(t, raw{"ping", make([]byte, 3)}),
	} {
		t.Run(name, func(t *testing.T) {
			fr := wire.NewFrameReader(bytes.NewReader(stream), wire.DefaultMagic)
			_, first := fr.Next()
			if first == nil {
				_, first = fr.Payload(2)
			}
			if first == nil {
				t.Fatal("no error")
			}
			for range 2 {
				if _, err := fr.Next(); !errors.Is(err, first) {
					t.Errorf("Next: %v, want %v", err, first)
				}
				if _, err := fr.Payload(2); !errors.Is(err, first) {
					t.Errorf("Payload: %v, want %v", err, first)
				}
			}
		})
	}
}

func TestTheCommandStaysValidUntilNext(t *testing.T) {
	for _, size := range []int{2, 100_000} {
		stream := mustFrame(t, raw{"command", make([]byte, size)})
		fr := wire.NewFrameReader(iotest.HalfReader(bytes.NewReader(stream)), wire.DefaultMagic)
		h, err := fr.Next()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fr.Payload(size); err != nil {
			t.Fatal(err)
		}
		if string(h.Command) != "command" {
			t.Errorf("after a payload of %d bytes the command is %q", size, h.Command)
		}
	}
}

func TestAReleasedReaderReadsNoMore(t *testing.T) {
	fr := wire.NewFrameReader(bytes.NewReader(mustFrame(t, wire.Ping{})), wire.DefaultMagic)
	fr.Release()
	fr.Release()
	if _, err := fr.Next(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("Next after Release: %v", err)
	}
	if _, err := fr.Payload(2); err == nil {
		t.Error("Payload after Release")
	}
}
