package chat

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"dchat/p2p/wire"
)

const (
	// MaxSend is the longest text, in bytes, that is sent.
	MaxSend = 64 << 10
	// MaxReceive is the longest text, in bytes, that is taken from a peer.
	MaxReceive = 1 << 20
)

// Command is the command of chat texts, as stock nodes know it.
const Command = "DchatMsg"

// ErrText says that a text cannot be sent; the error that wraps it says why.
var ErrText = errors.New("the text cannot be sent")

// Check says why a text cannot be sent, or nil. A text is valid UTF-8, is not
// empty and has at most MaxSend bytes.
func Check(text string) error {
	switch {
	case text == "":
		return fmt.Errorf("%w: it is empty", ErrText)
	case len(text) > MaxSend:
		return fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrText, len(text), MaxSend)
	case !utf8.ValidString(text):
		return fmt.Errorf("%w: it is not valid UTF-8", ErrText)
	}
	return nil
}

// Message is one chat text on the wire. The protocol gives it neither a limit
// nor metering.
type Message struct{ Text string }

// Spec returns the constants of the command DchatMsg.
func (Message) Spec() wire.Spec { return wire.Spec{Command: Command} }

// AppendPayload appends the text to b.
func (m Message) AppendPayload(b []byte) []byte { return wire.AppendString(b, m.Text) }

// Decode reads the text from a payload, which must hold nothing else.
func (m *Message) Decode(payload []byte) error {
	d := wire.NewDecoder(Command, payload)
	m.Text = d.String()
	return d.Finish()
}
