package wire

import "dchat/p2p/addr"

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

// Addrs tells addresses of other nodes, as the answer to a GetAddr or unasked. Its command is addr. At most 65281 bytes.
type Addrs struct {
	Entries []Entry
}

// Entry is an address and when it was last known to work.
type Entry struct {
	Addr     addr.Addr
	LastSeen uint64 // Unix seconds by the sender's clock; any value may come
}

// Spec returns the constants of the command addr.
func (Addrs) Spec() Spec {
	return Spec{Command: CommandAddr, MaxPayload: 65281, Metering: coreMetering(6)}
}

// AppendPayload appends the entries to b.
func (m Addrs) AppendPayload(b []byte) []byte {
	b = AppendVarInt(b, uint64(len(m.Entries)))
	for _, e := range m.Entries {
		b = AppendUint64(AppendAddr(b, e.Addr), e.LastSeen)
	}
	return b
}

// Decode sets the message from a payload. One address that is invalid makes the whole message invalid.
func (m *Addrs) Decode(payload []byte) error {
	d := NewDecoder(CommandAddr, payload)
	m.Entries = decodeList(d, minEntry, decodeEntry)
	return d.Finish()
}

func decodeEntry(d *Decoder) Entry { return Entry{Addr: d.Addr(), LastSeen: d.Uint64()} }
