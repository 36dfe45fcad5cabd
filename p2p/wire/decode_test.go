package wire_test

import (
	"errors"
	"testing"

	"dchat/p2p/wire"
)

func TestDecoderKeepsItsFirstErrorAndReturnsZeros(t *testing.T) {
	d := wire.NewDecoder("x", []byte{1, 0xfd, 1, 0, 5, 'a'})
	if d.Uint8() != 1 || d.VarInt() != 0 {
		t.Fatal("a VarInt that is not in its shortest form has a value")
	}
	if d.Len() != 0 || d.Uint8() != 0 || d.Uint16() != 0 || d.Uint32() != 0 || d.Uint64() != 0 || d.Bool() || d.VarInt() != 0 ||
		d.Count(1) != 0 || d.String() != "" || d.Bytes() != nil || d.Fixed(1) != nil || d.Rest() != nil ||
		!d.Addr().IsZero() || d.Semver() != (wire.Semver{}) {
		t.Error("a value after an error")
	}
	want := wire.Error{Kind: wire.BadPayload, Command: "x", Reason: "byte 1 of 6: integer not in its shortest form"}
	for range 2 {
		var fault *wire.Error
		if err := d.Finish(); !errors.As(err, &fault) || *fault != want {
			t.Errorf("error %v, want %v", err, &want)
		}
	}
}

func TestCountIsBoundedByTheDataThatIsLeft(t *testing.T) {
	for _, c := range []struct {
		data    []byte
		minSize int
		want    int
		ok      bool
	}{
		{[]byte{0}, 8, 0, true},
		{[]byte{2, 1, 2, 3, 4}, 2, 2, true},
		{[]byte{2, 1, 2, 3}, 2, 0, false},
		{[]byte{3, 1, 2, 3}, 0, 3, true},
		{[]byte{4, 1, 2, 3}, 0, 0, false},
		{[]byte{0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3}, 1, 0, false},
		{[]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 1, 0, false},
	} {
		d := wire.NewDecoder("", c.data)
		got := d.Count(c.minSize)
		d.Rest()
		if err := d.Finish(); got != c.want || (err == nil) != c.ok {
			t.Errorf("%x with items of %d: %d items, %v", c.data, c.minSize, got, err)
		}
	}
}

func TestFixedRefusesSizesThatAreNotThere(t *testing.T) {
	for _, n := range []int{4, 1 << 40, -1} {
		d := wire.NewDecoder("", []byte{1, 2, 3})
		if b := d.Fixed(n); b != nil || d.Finish() == nil {
			t.Errorf("%d of 3 bytes: %x", n, b)
		}
	}
}

func TestViewsCannotBeAppendedToIntoThePayload(t *testing.T) {
	payload := []byte{1, 'a', 1, 'b', 'c', 'd'}
	d := wire.NewDecoder("", payload)
	for _, view := range [][]byte{d.Bytes(), d.Bytes(), d.Fixed(1), d.Rest()} {
		_ = append(view, 'X')
	}
	if err := d.Finish(); err != nil || string(payload) != "\x01a\x01bcd" {
		t.Errorf("payload %q, %v", payload, err)
	}
}

func TestMessagesKeepNothingOfThePayload(t *testing.T) {
	payload := wire.GetAddr{Max: 8, Transports: []string{"tcp", "tcp+tls"}}.AppendPayload(nil)
	var m wire.GetAddr
	if err := m.Decode(payload); err != nil {
		t.Fatal(err)
	}
	clear(payload)
	if m.Transports[0] != "tcp" || m.Transports[1] != "tcp+tls" {
		t.Errorf("transports changed with the payload: %q", m.Transports)
	}
}

func TestDecodeReplacesAllFields(t *testing.T) {
	for command, list := range samples {
		t.Run(command, func(t *testing.T) {
			for _, want := range list {
				m := messages[command]()
				for _, payload := range [][]byte{list[0].AppendPayload(nil), want.AppendPayload(nil)} {
					if err := m.Decode(payload); err != nil {
						t.Fatal(err)
					}
				}
				wantSame(t, m, want)
			}
		})
	}
}
