package wire

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"dchat/p2p/addr"
)

// A Decoder reads primitives from a payload, one after the other. After the first error every method returns a zero value, so
// that a message reads all its fields and asks Finish once. Views that it returns are parts of the payload and live as long;
// strings are copies. It is not safe for concurrent use.
type Decoder struct {
	command string
	rest    []byte
	size    int
	err     error
}

// NewDecoder returns a decoder of a payload whose size the caller has already bounded. The command is named in errors.
func NewDecoder(command string, payload []byte) *Decoder {
	return &Decoder{command: command, rest: payload, size: len(payload)}
}

// Finish returns nil when the payload was read without an error and to its last byte, else an *Error of kind BadPayload.
func (d *Decoder) Finish() error {
	if d.err == nil && len(d.rest) > 0 {
		d.fail(fmt.Errorf("%w: %d bytes", errLeftOver, len(d.rest)))
	}
	if d.err == nil {
		return nil
	}
	return &Error{Kind: BadPayload, Command: d.command, Reason: d.err.Error()}
}

// Len returns the number of bytes not read yet.
func (d *Decoder) Len() int { return len(d.rest) }

// Rest reads all bytes that are left and returns a view of them.
func (d *Decoder) Rest() []byte { return d.Fixed(len(d.rest)) }

// Uint8 reads one byte.
func (d *Decoder) Uint8() uint8 {
	if b := d.Fixed(1); b != nil {
		return b[0]
	}
	return 0
}

// Uint16 reads 2 bytes.
func (d *Decoder) Uint16() uint16 {
	if b := d.Fixed(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// Uint32 reads 4 bytes.
func (d *Decoder) Uint32() uint32 {
	if b := d.Fixed(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// Uint64 reads 8 bytes.
func (d *Decoder) Uint64() uint64 {
	if b := d.Fixed(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Bool reads one byte, of which any value but 0 is true.
func (d *Decoder) Bool() bool { return d.Uint8() != 0 }

// VarInt reads an integer of 1 to 9 bytes. One that is not in its shortest form is an error.
func (d *Decoder) VarInt() uint64 {
	if d.err != nil {
		return 0
	}
	v, n, err := varInt(d.rest)
	if err == nil && n == 0 {
		err = errTruncated
	}
	if err != nil {
		d.fail(err)
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// Count reads the number of items that follow, each of which takes at least minItemSize bytes, at least 1. A number that
// cannot fit in what is left is an error, so a list of the size returned may be allocated.
func (d *Decoder) Count(minItemSize int) int {
	n := d.VarInt()
	if n > uint64(len(d.rest)/max(minItemSize, 1)) {
		d.fail(errCountTooHigh)
		return 0
	}
	return int(n)
}

// Fixed reads n bytes and returns a view of them, nil on error.
func (d *Decoder) Fixed(n int) []byte {
	if d.err == nil && uint(n) > uint(len(d.rest)) {
		d.fail(errTruncated)
	}
	if d.err != nil {
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

// Bytes reads a length and as many bytes, and returns a view of them, nil on error.
func (d *Decoder) Bytes() []byte {
	n := d.VarInt()
	if n > uint64(len(d.rest)) {
		d.fail(errTruncated)
		return nil
	}
	return d.Fixed(int(n))
}

// String reads a length and a text of as many bytes. A text that is not UTF-8 is an error.
func (d *Decoder) String() string {
	b := d.Bytes()
	if !utf8.Valid(b) {
		d.fail(errNotUTF8)
		return ""
	}
	return string(b)
}

// Addr reads an address and normalises it. A text that is no address is an error.
func (d *Decoder) Addr() addr.Addr {
	s := d.String()
	if d.err != nil {
		return addr.Addr{}
	}
	a, err := addr.Parse(s)
	if err != nil {
		d.fail(err)
		return addr.Addr{}
	}
	return a
}

// Semver reads a version. A pre-release or a build that is not valid is an error.
func (d *Decoder) Semver() Semver {
	v := Semver{Major: d.Uint64(), Minor: d.Uint64(), Patch: d.Uint64(), Pre: d.String(), Build: d.String()}
	if d.err != nil {
		return Semver{}
	}
	if err := v.validate(); err != nil {
		d.fail(err)
		return Semver{}
	}
	return v
}

// The least number of bytes that an item of a list takes: a text is its length, and an address has at least a scheme of one
// letter and a colon.
const (
	minString  = 1
	minAddr    = minString + 2
	minFeature = minString + 4
	minEntry   = minAddr + 8
)

// decodeList reads a count and as many items, nil when there are none.
func decodeList[T any](d *Decoder, minItemSize int, item func(*Decoder) T) []T {
	n := d.Count(minItemSize)
	if n == 0 {
		return nil
	}
	list := make([]T, 0, n)
	for d.err == nil && len(list) < n {
		list = append(list, item(d))
	}
	return list
}

// fail keeps the first error, with the place where it happened.
func (d *Decoder) fail(err error) {
	if d.err == nil {
		d.err = fmt.Errorf("byte %d of %d: %w", d.size-len(d.rest), d.size, err)
		d.rest = nil
	}
}

// varInt reads an integer from the beginning of b and returns the number of its bytes, 0 when b ends before it does.
func varInt(b []byte) (v uint64, n int, err error) {
	if len(b) == 0 {
		return 0, 0, nil
	}
	var least uint64
	switch b[0] {
	case varInt16:
		if len(b) < 3 {
			return 0, 0, nil
		}
		v, n, least = uint64(binary.LittleEndian.Uint16(b[1:])), 3, varInt16
	case varInt32:
		if len(b) < 5 {
			return 0, 0, nil
		}
		v, n, least = uint64(binary.LittleEndian.Uint32(b[1:])), 5, 1<<16
	case varInt64:
		if len(b) < 9 {
			return 0, 0, nil
		}
		v, n, least = binary.LittleEndian.Uint64(b[1:]), 9, 1<<32
	default:
		return uint64(b[0]), 1, nil
	}
	if v < least {
		return 0, 0, errNotShortest
	}
	return v, n, nil
}
