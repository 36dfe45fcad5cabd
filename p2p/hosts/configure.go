package hosts

import (
	"time"

	"dchat/p2p/addr"
)

// Configure replaces what the operator may change while the node runs. What is
// now a configured peer or seed, or refused, goes off the lists; bans that were on
// what is now configured end.
func (h *Hosts) Configure(peers, seeds []addr.Addr, blacklist Blacklist) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rules.Load().with(peers, seeds, blacklist)
	h.rules.Store(r)
	for _, l := range h.lists {
		for i := len(l.entries) - 1; i >= 0; i-- {
			if e := l.entries[i]; r.configured[e.key] || r.blacklist.has(e.key) {
				h.remove(e)
			}
		}
	}
	for key := range h.bans.byKey {
		if r.spared[key] {
			h.bans.drop(key)
		}
	}
	h.tell()
}

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
