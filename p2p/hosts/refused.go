package hosts

import (
	"time"

	"dchat/p2p/addr"
)

// Blacklisted tells whether the operator refuses an address, be it one to dial
// or that of a peer which connects.
func (h *Hosts) Blacklisted(a addr.Addr) bool { return h.rules.Load().blacklist.Has(a) }

// Refused tells whether an address is to be left alone, be it one to dial or that
// of a peer which connects: the operator refuses it, it is banned, or it turned
// out to be our own. It takes the time of some map lookups, whatever the number of
// bans.
func (h *Hosts) Refused(a addr.Addr) bool {
	key := endpointOf(a)
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rules.Load().blacklist.has(key) || h.barred(key)
}

// SameHost tells whether two addresses count as one host to bans: the same IPv4
// address, the same /64 of IPv6, the same name.
func SameHost(a, b addr.Addr) bool { return endpointOf(a).everyPort() == endpointOf(b).everyPort() }

// banOf returns the ban that an address is under, or nil.
func (h *Hosts) banOf(key endpoint) *banned {
	if h.rules.Load().spared[key.socket()] {
		return nil
	}
	now := h.now()
	if b := h.bans.get(key.everyPort(), now); b != nil {
		return b
	}
	return h.bans.get(key.socket(), now)
}

func (h *Hosts) banned(key endpoint) bool { return h.banOf(key) != nil }

const (
	// ownTime is how long an address is known as our own that turned out to be.
	ownTime = 24 * time.Hour
	// mostOurs is how many of these are known.
	mostOurs = 1000
)

// Ours says that an address has turned out to be our own, by a connection to
// ourselves: it goes off its list and is Refused, whatever its scheme, for a day.
func (h *Hosts) Ours(a addr.Addr) {
	key := endpointOf(a).socket()
	if key.port == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ours.put(key, struct{}{}, h.now().Add(ownTime))
	h.expel(key)
}

// barred tells whether an address comes on no list although it passes the rules.
func (h *Hosts) barred(key endpoint) bool {
	return h.ours.get(key.socket(), h.now()) != nil || h.banned(key)
}

// expel takes an endpoint, of whatever scheme, or all those of a host off their
// lists.
func (h *Hosts) expel(from endpoint) {
	for _, e := range h.entriesOf(from.everyPort()) {
		if from.port == 0 || e.key.socket() == from {
			h.remove(e)
		}
	}
}

// entriesOf returns what the lists have of a host.
func (h *Hosts) entriesOf(host endpoint) (found []*entry) {
	collect := func(entries []*entry) {
		for _, e := range entries {
			if e.key.everyPort() == host {
				found = append(found, e)
			}
		}
	}
	switch {
	case h.localnet: // where few are and crowds are not counted
		for _, l := range h.lists {
			collect(l.entries)
		}
	case host.ip.IsValid():
		collect(h.crowds[host.subnet()])
	default:
		collect(h.crowds[host.host()])
	}
	return found
}
