package wire_test

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"testing"
	"testing/iotest"

	"dchat/p2p/addr"
	"dchat/p2p/wire"
)

func FuzzFrames(f *testing.F) {
	stream, _ := conversation(f)
	f.Add(stream, uint16(100))
	f.Add(stream[:400], uint16(12))
	for _, v := range load[[]struct{ Frame string }](f, "recorded.json")[:40] {
		f.Add(unhex(f, v.Frame), uint16(5))
	}
	f.Add([]byte("\xd9\xef\xb6\x7d\xff\xff\xff\xff\xff\xff\xff\xff\xff"), uint16(4))
	f.Add([]byte("\xd9\xef\xb6\x7d\x04ping\xfd\x02\x00\x01\x00"), uint16(9))
	f.Fuzz(func(t *testing.T, stream []byte, cut uint16) {
		frames, err := readAll(bytes.NewReader(stream), 64<<10)
		var fault *wire.Error
		if err != nil && !errors.As(err, &fault) {
			wantFailure(t, err, io.ErrUnexpectedEOF)
		}
		at := min(int(cut), len(stream))
		for _, r := range []io.Reader{
			iotest.OneByteReader(bytes.NewReader(stream)),
			io.MultiReader(bytes.NewReader(stream[:at]), bytes.NewReader(stream[at:])),
		} {
			again, againErr := readAll(r, 64<<10)
			if !reflect.DeepEqual(again, frames) || !sameFailure(againErr, err) {
				t.Fatalf("%d frames and %v, in other pieces %d and %v", len(frames), err, len(again), againErr)
			}
		}
		var written []byte
		for _, frame := range frames {
			written = append(written, mustFrame(t, raw{frame.Command, []byte(frame.Payload)})...)
		}
		if !bytes.HasPrefix(stream, written) {
			t.Fatalf("written again as %x", written)
		}
		if err == nil && len(written) != len(stream) {
			t.Fatalf("ended after %d of %d bytes", len(written), len(stream))
		}
	})
}

// sameFailure tells whether two errors blame the same side for the same thing; the details may differ, since what is wrong
// is said as soon as it is seen.
func sameFailure(a, b error) bool {
	var faultA, faultB *wire.Error
	if errors.As(a, &faultA) && errors.As(b, &faultB) {
		return faultA.Kind == faultB.Kind && faultA.Command == faultB.Command
	}
	return faultA == nil && !errors.As(b, &faultB) && (a == nil) == (b == nil)
}

func FuzzVarInt(f *testing.F) {
	for _, v := range primitiveVectors(f)["varint"] {
		f.Add(unhex(f, v.Hex), uint64(1)<<32)
	}
	f.Add([]byte{0xfd, 0xfc, 0}, uint64(0xfc))
	f.Fuzz(func(t *testing.T, data []byte, v uint64) {
		d := wire.NewDecoder("", data)
		n := d.VarInt()
		size := len(data) - d.Len()
		d.Rest()
		if d.Finish() == nil && !bytes.Equal(wire.AppendVarInt(nil, n), data[:size]) {
			t.Fatalf("%x reads as %d, which is written otherwise", data, n)
		}
		d = wire.NewDecoder("", wire.AppendVarInt(nil, v))
		if got := d.VarInt(); got != v || d.Finish() != nil {
			t.Fatalf("%d reads as %d", v, got)
		}
	})
}

func FuzzSemver(f *testing.F) {
	for _, s := range []string{"0.4.1", "1.2.3-rc.1+build.007", "18446744073709551615.0.0--", "1.2.3-01", "1.2.3+", "01.2.3"} {
		f.Add(s, []byte(nil))
	}
	for _, v := range primitiveVectors(f)["semver"] {
		f.Add(v.Text, unhex(f, v.Hex))
	}
	f.Fuzz(func(t *testing.T, s string, data []byte) {
		if v, err := wire.ParseSemver(s); err == nil {
			d := wire.NewDecoder("", wire.AppendSemver(nil, v))
			if got := d.Semver(); got != v || d.Finish() != nil || v.String() != s {
				t.Fatalf("%q parses to %+v, which reads as %+v", s, v, got)
			}
		}
		d := wire.NewDecoder("", data)
		v := d.Semver()
		if d.Finish() != nil {
			return
		}
		if got, err := wire.ParseSemver(v.String()); err != nil || got != v {
			t.Fatalf("%+v is written as %s, which parses to %+v, %v", v, v, got, err)
		}
		if again := wire.AppendSemver(nil, v); !bytes.Equal(again, data) {
			t.Fatalf("%x is written again as %x", data, again)
		}
	})
}

func FuzzVersion(f *testing.F) { fuzzMessage(f, wire.CommandVersion, versionIsNormal) }
func FuzzVerack(f *testing.F)  { fuzzMessage(f, wire.CommandVerack, always) }
func FuzzPing(f *testing.F)    { fuzzMessage(f, wire.CommandPing, always) }
func FuzzPong(f *testing.F)    { fuzzMessage(f, wire.CommandPong, always) }
func FuzzGetAddr(f *testing.F) { fuzzMessage(f, wire.CommandGetAddr, always) }
func FuzzAddrs(f *testing.F)   { fuzzMessage(f, wire.CommandAddr, addrsIsNormal) }

// fuzzMessage checks that what decodes is written again as it was, if it was in the one form that we write.
func fuzzMessage(f *testing.F, command string, isNormal func(payload []byte) bool) {
	for _, m := range samples[command] {
		f.Add(m.AppendPayload(nil))
	}
	for _, v := range load[struct {
		Vectors []struct{ Command, Payload string } `json:"message_decode"`
	}](f, "vectors.json").Vectors {
		if v.Command == command {
			f.Add(unhex(f, v.Payload))
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		m := messages[command]()
		if err := m.Decode(payload); err != nil {
			wantFault(t, err, wire.BadPayload)
			return
		}
		written := m.AppendPayload(nil)
		if isNormal(payload) && !bytes.Equal(written, payload) {
			t.Fatalf("%x is written again as %x", payload, written)
		}
		again := messages[command]()
		if err := again.Decode(written); err != nil {
			t.Fatalf("%x is written as %x: %v", payload, written, err)
		}
		wantSame(t, again, m)
	})
}

func always([]byte) bool { return true }

// Two things can be written in several ways: true as any byte but 0, and an address in many spellings.

func versionIsNormal(payload []byte) bool {
	d := wire.NewDecoder("", payload)
	_, _, _, _ = d.String(), d.String(), d.Semver(), d.Uint64()
	normal := addrIsNormal(d)
	switch d.Uint8() {
	case 0:
	case 1:
		normal = addrIsNormal(d) && normal
	default:
		return false
	}
	for range d.Count(1) {
		normal = addrIsNormal(d) && normal
	}
	return normal
}

func addrsIsNormal(payload []byte) bool {
	d := wire.NewDecoder("", payload)
	normal := true
	for range d.Count(1) {
		normal = addrIsNormal(d) && normal
		d.Uint64()
	}
	return normal
}

func addrIsNormal(d *wire.Decoder) bool {
	s := d.String()
	return addr.MustParse(s).String() == s
}
