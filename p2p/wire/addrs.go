package wire

import "dchat/p2p/addr"

// Addrs tells addresses of other nodes, as the answer to a GetAddr or unasked. Its command is addr. At most 65281 bytes.
type Addrs struct {
	Entries []Entry
}

// Entry is an address and when it was last known to work.
type Entry struct {
	Addr     addr.Addr
	LastSeen uint64 // Unix seconds by the sender's clock; any value may come
}

const minEntry = minAddr + 8

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
