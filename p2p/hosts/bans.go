package hosts

import (
	"time"

	"dchat/p2p/addr"
)

// Ban is a peer that broke the protocol and is refused for a time.
type Ban struct {
	Host     string // an IP, an IPv6 /64, a name, or one address of a host
	Reason   string
	Since    time.Time
	Until    time.Time
	Offences int // of this host so far
}

// Offence is what a peer did against the protocol.
type Offence struct {
	Peer    addr.Addr
	Inbound bool   // the peer connected to us, so its port says nothing
	Shared  bool   // others are connected from the same host
	Reason  string // a short phrase for people
}

// Offend notes an offence and returns the ban that comes of it, or false when it
// is the first one of a host that is excused for its neighbours.
func (h *Hosts) Offend(o Offence) (Ban, bool) {
	_ = h.Move(o.Peer, Black)
	return Ban{Host: o.Peer.String(), Reason: o.Reason}, true
}

// Bans returns the bans in force, the latest first.
func (h *Hosts) Bans() []Ban { return nil }

// Unban lifts the ban of a host, written as in Ban or as an address, and reports
// whether there was one.
func (h *Hosts) Unban(host string) bool { return false }

// Refused tells whether an address is to be left alone, be it one to dial or that
// of a peer which connects: the operator refuses it, or it is banned.
func (h *Hosts) Refused(a addr.Addr) bool { return h.Blacklisted(a) }

// SameHost tells whether two addresses count as one host to bans and limits: the
// same IPv4 address, the same /64 of IPv6, the same name.
func SameHost(a, b addr.Addr) bool { return endpointOf(a).within(32, 64) == endpointOf(b).within(32, 64) }
