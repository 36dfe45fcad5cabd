package wire

import "dchat/p2p/addr"

// Version opens a connection: each side says who it is. At most 2043 bytes.
type Version struct {
	NodeID          string      // empty unless the operator gave one: it makes a node recognisable
	AppName         string      // must be the same on both sides
	AppVersion      Semver      // must be compatible
	Timestamp       uint64      // the sender's clock, Unix seconds; not checked
	ConnectRecvAddr addr.Addr   // the receiver's address as the sender dialled or sees it
	ResolveRecvAddr addr.Addr   // the endpoint really dialled; zero: absent, as on inbound connections
	ExtSendAddr     []addr.Addr // the sender's external addresses
	Features        []Feature   // what the sender speaks beyond the core protocol
}

// Feature is an extension of the protocol. It is spoken on a connection only when both sides have listed it.
type Feature struct {
	Name    string
	Version uint32
}

// Spec returns the constants of the command version.
func (Version) Spec() Spec {
	return Spec{Command: CommandVersion, MaxPayload: 2043, Metering: coreMetering(4)}
}

// AppendPayload appends the fields to b.
func (m Version) AppendPayload(b []byte) []byte {
	b = AppendString(b, m.NodeID)
	b = AppendString(b, m.AppName)
	b = AppendSemver(b, m.AppVersion)
	b = AppendUint64(b, m.Timestamp)
	b = AppendAddr(b, m.ConnectRecvAddr)
	b = AppendBool(b, !m.ResolveRecvAddr.IsZero())
	if !m.ResolveRecvAddr.IsZero() {
		b = AppendAddr(b, m.ResolveRecvAddr)
	}
	b = AppendVarInt(b, uint64(len(m.ExtSendAddr)))
	for _, a := range m.ExtSendAddr {
		b = AppendAddr(b, a)
	}
	b = AppendVarInt(b, uint64(len(m.Features)))
	for _, f := range m.Features {
		b = AppendUint32(AppendString(b, f.Name), f.Version)
	}
	return b
}

// Decode sets the message from a payload. One address that is invalid makes the whole message invalid.
func (m *Version) Decode(payload []byte) error {
	d := NewDecoder(CommandVersion, payload)
	*m = Version{
		NodeID:          d.String(),
		AppName:         d.String(),
		AppVersion:      d.Semver(),
		Timestamp:       d.Uint64(),
		ConnectRecvAddr: d.Addr(),
	}
	if d.Bool() {
		m.ResolveRecvAddr = d.Addr()
	}
	m.ExtSendAddr = decodeList(d, minAddr, (*Decoder).Addr)
	m.Features = decodeList(d, minFeature, decodeFeature)
	return d.Finish()
}

func decodeFeature(d *Decoder) Feature { return Feature{Name: d.String(), Version: d.Uint32()} }

// Verack answers a Version. At most 128 bytes. The receiver closes unless AppName equals its own and AppVersion is compatible.
type Verack struct {
	AppVersion Semver
	AppName    string
}

// Spec returns the constants of the command verack.
func (Verack) Spec() Spec {
	return Spec{Command: CommandVerack, MaxPayload: 128, Metering: coreMetering(4)}
}

// AppendPayload appends the fields to b.
func (m Verack) AppendPayload(b []byte) []byte {
	return AppendString(AppendSemver(b, m.AppVersion), m.AppName)
}

// Decode sets the message from a payload.
func (m *Verack) Decode(payload []byte) error {
	d := NewDecoder(CommandVerack, payload)
	*m = Verack{AppVersion: d.Semver(), AppName: d.String()}
	return d.Finish()
}
