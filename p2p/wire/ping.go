package wire

// Ping asks for a Pong with the same nonce, to see whether the peer lives. Always 2 bytes.
type Ping struct {
	Nonce uint16
}

// Spec returns the constants of the command ping.
func (Ping) Spec() Spec {
	return Spec{Command: CommandPing, MaxPayload: 2, Metering: coreMetering(4)}
}

// AppendPayload appends the nonce to b.
func (m Ping) AppendPayload(b []byte) []byte { return AppendUint16(b, m.Nonce) }

// Decode sets the message from a payload.
func (m *Ping) Decode(payload []byte) error {
	d := NewDecoder(CommandPing, payload)
	m.Nonce = d.Uint16()
	return d.Finish()
}

// Pong answers a Ping with the nonce it carried. Always 2 bytes.
type Pong struct {
	Nonce uint16
}

// Spec returns the constants of the command pong.
func (Pong) Spec() Spec {
	return Spec{Command: CommandPong, MaxPayload: 2, Metering: coreMetering(4)}
}

// AppendPayload appends the nonce to b.
func (m Pong) AppendPayload(b []byte) []byte { return AppendUint16(b, m.Nonce) }

// Decode sets the message from a payload.
func (m *Pong) Decode(payload []byte) error {
	d := NewDecoder(CommandPong, payload)
	m.Nonce = d.Uint16()
	return d.Finish()
}
