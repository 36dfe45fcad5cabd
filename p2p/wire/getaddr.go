package wire

// GetAddr asks for addresses of other nodes. At most 57 bytes.
type GetAddr struct {
	// Max is the number of addresses wanted. Whoever sends it keeps it small and whoever receives it caps it before using it:
	// some nodes reserve memory for as many.
	Max uint32
	// Transports are the schemes wanted, such as tcp+tls. The nine that are gossiped fill the message exactly.
	Transports []string
}

// Spec returns the constants of the command getaddr.
func (GetAddr) Spec() Spec {
	return Spec{Command: CommandGetAddr, MaxPayload: 57, Metering: coreMetering(6)}
}

// AppendPayload appends the fields to b.
func (m GetAddr) AppendPayload(b []byte) []byte {
	b = AppendUint32(b, m.Max)
	b = AppendVarInt(b, uint64(len(m.Transports)))
	for _, t := range m.Transports {
		b = AppendString(b, t)
	}
	return b
}

// Decode sets the message from a payload.
func (m *GetAddr) Decode(payload []byte) error {
	d := NewDecoder(CommandGetAddr, payload)
	*m = GetAddr{Max: d.Uint32(), Transports: decodeList(d, minString, (*Decoder).String)}
	return d.Finish()
}
