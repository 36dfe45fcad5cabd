package wire_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"dchat/p2p/wire"
)

func TestFramesAreAppendedToWhatIsThere(t *testing.T) {
	var stream, want []byte
	for _, list := range samples {
		for _, m := range list {
			var err error
			if stream, err = wire.AppendFrame(stream, wire.DefaultMagic, m); err != nil {
				t.Fatal(err)
			}
			want = append(want, mustFrame(t, m)...)
		}
	}
	if !bytes.Equal(stream, want) {
		t.Error("frames differ from those written one by one")
	}
}

func TestTheMagicOfANetworkBeginsItsFrames(t *testing.T) {
	b, err := wire.AppendFrame(nil, [4]byte{1, 2, 3, 4}, wire.Ping{Nonce: 0x1234})
	if want := "\x01\x02\x03\x04\x04ping\x02\x34\x12"; err != nil || string(b) != want {
		t.Errorf("frame %x, %v, want %x", b, err, want)
	}
	fr := wire.NewFrameReader(bytes.NewReader(b), wire.DefaultMagic)
	_, err = fr.Next()
	wantFault(t, err, wire.BadMagic)
}

func TestMessagesThatPeersWouldRefuseAreNotWritten(t *testing.T) {
	before := []byte("before")
	for name, m := range map[string]wire.Message{
		"payload over the limit":    wire.Verack{AppName: strings.Repeat("a", 102)},
		"command of 256 bytes":      raw{strings.Repeat("c", 256), nil},
		"ten transports in getaddr": wire.GetAddr{Transports: strings.Split("tor tls tcp nym i2p tor+tls nym+tls tcp+tls i2p+tls x", " ")},
	} {
		b, err := wire.AppendFrame(before, wire.DefaultMagic, m)
		if !errors.Is(err, wire.ErrTooLarge) || string(b) != "before" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
		var fault *wire.Error
		if errors.As(err, &fault) {
			t.Errorf("%s: a peer is blamed for our fault: %v", name, err)
		}
	}
	if b := mustFrame(t, raw{strings.Repeat("c", 255), nil}); len(b) != 4+3+255+1 {
		t.Errorf("a command of 255 bytes makes a frame of %d", len(b))
	}
}
