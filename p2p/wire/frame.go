package wire

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// DefaultMagic begins every frame of the public network. Networks with other magic bytes do not talk to each other.
var DefaultMagic = [4]byte{0xd9, 0xef, 0xb6, 0x7d}

// MaxCommand is the greatest length of a command in bytes.
const MaxCommand = 255

// maxHeader is the greatest length of what stands before a payload: magic, command with its length, payload length.
const maxHeader = 4 + 3 + MaxCommand + 9

// AppendFrame appends the frame of a message to b: the magic bytes, the command, the length of the payload, the payload. It
// allocates only what b lacks in room. For a payload over the command's limit or a command over MaxCommand bytes it returns b
// as it was and an error that wraps ErrTooLarge.
func AppendFrame(b []byte, magic [4]byte, m Message) ([]byte, error) {
	spec := m.Spec()
	if len(spec.Command) > MaxCommand {
		return b, fmt.Errorf("%w: command %s, limit %d", ErrTooLarge, EscapeCommand(spec.Command), MaxCommand)
	}
	frame := append(b, magic[:]...)
	frame = AppendString(frame, spec.Command)
	start := len(frame)
	frame = m.AppendPayload(append(frame, 0)) // most payloads are short and their length takes one byte
	size := len(frame) - start - 1
	if spec.MaxPayload > 0 && size > spec.MaxPayload {
		return b, fmt.Errorf("%w: %s payload of %d bytes, limit %d", ErrTooLarge, spec.Command, size, spec.MaxPayload)
	}
	if size < varInt16 {
		frame[start] = byte(size)
		return frame, nil
	}
	var length [9]byte
	return slices.Replace(frame, start, start+1, AppendVarInt(length[:0], uint64(size))...), nil
}

// Header is the part of a frame that comes before its payload.
type Header struct {
	Command []byte // valid until the next call of FrameReader.Next
	Length  uint64 // of the payload in bytes, as the peer claims it
}

// Size returns the length of the header itself in bytes.
func (h Header) Size() int {
	return len(DefaultMagic) + varIntSize(uint64(len(h.Command))) + len(h.Command) + varIntSize(h.Length)
}

func varIntSize(v uint64) int {
	switch {
	case v < varInt16:
		return 1
	case v <= 0xffff:
		return 3
	case v <= 0xffffffff:
		return 5
	}
	return 9
}

// parseHeader reads a header from the beginning of b and returns its size in bytes, 0 when b ends before it does. What is
// wrong is found as early as b shows it. The command is a view of b.
func parseHeader(b []byte, magic [4]byte) (h Header, size int, err error) {
	seen := min(len(b), len(magic))
	if string(b[:seen]) != string(magic[:seen]) {
		return Header{}, 0, &Error{Kind: BadMagic, Reason: fmt.Sprintf("%x where %x belongs", b[:seen], magic)}
	}
	size = seen
	length, n, err := varInt(b[size:])
	if err != nil {
		return Header{}, 0, &Error{Kind: BadHeader, Reason: "length of the command: " + err.Error()}
	}
	if length > MaxCommand {
		return Header{}, 0, &Error{Kind: CommandTooLong, Reason: fmt.Sprintf("%d bytes, limit %d", length, MaxCommand)}
	}
	size += n
	if n == 0 || uint64(len(b)-size) < length {
		return Header{}, 0, nil
	}
	h.Command = b[size : size+int(length)]
	size += int(length)
	if !utf8.Valid(h.Command) {
		return Header{}, 0, &Error{Kind: BadHeader, Command: string(h.Command), Reason: errNotUTF8.Error()}
	}
	h.Length, n, err = varInt(b[size:])
	if err != nil {
		return Header{}, 0, &Error{Kind: BadPayload, Command: string(h.Command), Reason: "length of the payload: " + err.Error()}
	}
	if n == 0 {
		return Header{}, 0, nil
	}
	return h, size + n, nil
}
