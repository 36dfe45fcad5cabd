package wire

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Kind classes what is wrong with a peer's bytes. Callers choose by it between closing a connection and banning as well.
type Kind uint8

// The kinds of offences. This package finds those up to BadPayload, the others are raised by its users.
const (
	// BadMagic: a frame does not begin with the network's magic bytes, so the stream is not one of ours.
	BadMagic Kind = iota + 1
	// BadHeader: the length of a command is not in its shortest form, or the command is not UTF-8.
	BadHeader
	// CommandTooLong: a command has more than MaxCommand bytes.
	CommandTooLong
	// BadPayload: a payload is over its command's limit, its length is not in the shortest form, it does not decode, or
	// bytes are left over after decoding.
	BadPayload
	// UnknownCommand: nobody subscribed to this command.
	UnknownCommand
	// Flood: the peer sent more than metering allows.
	Flood
	// Mismatch: the peer speaks for another application or an incompatible version.
	Mismatch
)

// String returns the kind in words, for logs.
func (k Kind) String() string {
	switch k {
	case BadMagic:
		return "wrong magic bytes"
	case BadHeader:
		return "malformed frame header"
	case CommandTooLong:
		return "command too long"
	case BadPayload:
		return "invalid payload"
	case UnknownCommand:
		return "unknown command"
	case Flood:
		return "too many messages"
	case Mismatch:
		return "incompatible peer"
	default:
		return "unknown kind " + strconv.Itoa(int(k))
	}
}

// Error says that the peer is at fault: what it sent is wrong. A failed or cut connection is never an Error.
type Error struct {
	Kind    Kind
	Command string // as the peer sent it, empty when unknown: pass it through EscapeCommand before showing it
	Reason  string // the details, in printable text, or empty
}

// Error returns the kind, the command, escaped, and the reason in one line.
func (e *Error) Error() string {
	s := "wire: " + e.Kind.String()
	if e.Command != "" {
		s += " " + EscapeCommand(e.Command)
	}
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s
}

// What is wrong with primitives.
var (
	errTruncated    = errors.New("data ends too early")
	errNotShortest  = errors.New("integer not in its shortest form")
	errNotUTF8      = errors.New("text is not UTF-8")
	errLeftOver     = errors.New("data left over")
	errCountTooHigh = errors.New("count is higher than the data can hold")
)

// ErrTooLarge is returned by AppendFrame for a message that peers would refuse because of its size. The fault is ours.
var ErrTooLarge = errors.New("wire: message too large to send")

// EscapeCommand returns a command, or any other text of a peer, as a quoted string of printable ASCII that is safe in logs
// and on terminals. What is long is cut: the result has at most 120 bytes.
func EscapeCommand(command string) string { return escape(command, 24) }

// escape quotes s, of which at most limit bytes are shown, and says how long it was when more were cut.
func escape(s string, limit int) string {
	if len(s) <= limit {
		return strconv.QuoteToASCII(s)
	}
	cut := limit
	for cut > limit-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%s... (%d bytes)", strconv.QuoteToASCII(s[:cut]), len(s))
}
