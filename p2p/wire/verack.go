package wire

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
