package channel

import (
	"errors"
	"fmt"
	"net"
)

// Reasons why a channel refuses a message or ends. A peer's offence is a
// *wire.Error instead; everything else that ends a channel is a fault of the
// connection.
var (
	// ErrClosed says that the channel has ended or is ending. It is a
	// net.ErrClosed.
	ErrClosed = fmt.Errorf("channel closed: %w", net.ErrClosed)
	// ErrStopped is why channels end when their node stops.
	ErrStopped = errors.New("node stopped")
	// ErrQueueFull says that the peer reads more slowly than we send.
	ErrQueueFull = errors.New("send queue full: the peer does not read fast enough")
	// ErrNotSpoken says that no protocol of this channel speaks the command, so
	// the peer need not know it.
	ErrNotSpoken = errors.New("command not spoken on this channel")
	// ErrDisconnected says that the peer ended the connection between two frames.
	ErrDisconnected = errors.New("disconnected by the peer")
	// ErrHandshakeTimeout says that the peer did not finish the handshake in time.
	ErrHandshakeTimeout = errors.New("handshake timed out")
	// ErrWriteTimeout says that the peer did not read for too long.
	ErrWriteTimeout = errors.New("the peer does not read")
)

// PanicError says that a protocol or a transport panicked. It ends the channel it ran for.
type PanicError struct {
	Command string // whose handler it was; empty: it was no handler
	Value   any    // what the panic said
}

// Error names the command and what the panic said.
func (e *PanicError) Error() string {
	if e.Command == "" {
		return fmt.Sprintf("panic on a connection: %v", e.Value)
	}
	return fmt.Sprintf("panic in the handler of %q: %v", e.Command, e.Value)
}
