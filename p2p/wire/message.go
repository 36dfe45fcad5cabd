package wire

import "time"

// The commands of the core messages. Commands are compared byte for byte.
const (
	CommandVersion = "version"
	CommandVerack  = "verack"
	CommandPing    = "ping"
	CommandPong    = "pong"
	CommandGetAddr = "getaddr"
	CommandAddr    = "addr"
)

// A Message can be sent.
type Message interface {
	// Spec returns the constants of the message's command. It must not depend on the message's fields.
	Spec() Spec
	// AppendPayload appends the fields to b and returns the result.
	AppendPayload(b []byte) []byte
}

// A Decodable can be received as well. It is implemented by pointers to messages.
type Decodable interface {
	Message
	// Decode sets the message to the value of a payload, all of which it must use; it keeps no part of the payload. On error,
	// always an *Error, the message's fields have no meaning.
	Decode(payload []byte) error
}

// Spec holds what both sides know about a command.
type Spec struct {
	Command    string
	MaxPayload int // in bytes; 0: the protocol sets no limit, and the reader applies one of its own
	Metering   Metering
}

// Metering says how often a command may come before it is slowed down. Each message adds Score to a total, which it leaves
// after Expiry. While the total is at least Threshold, each message is delayed by Step for every point above the threshold.
type Metering struct {
	Score     int
	Threshold int // 0: this command is not metered
	Step      time.Duration
	Expiry    time.Duration
}

// coreMetering returns the metering of a core message, which differ in the threshold only.
func coreMetering(threshold int) Metering {
	return Metering{Score: 1, Threshold: threshold, Step: time.Second, Expiry: 10 * time.Second}
}
