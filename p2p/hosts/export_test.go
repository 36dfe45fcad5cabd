package hosts

import "dchat/p2p/addr"

// Tellers is how many peers' accounts are kept.
func (h *Hosts) Tellers() int { return len(h.spent) }

// Drop takes an address off its list.
func (h *Hosts) Drop(a addr.Addr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forget(endpointOf(a))
}

// Traces is how many things are kept of the addresses on the lists, beside
// themselves.
func (h *Hosts) Traces() int {
	n := len(h.listed) + len(h.crowds) + len(h.states) + len(h.held) + len(h.heldOf) + h.knownHeld + len(h.fresh.items)
	for _, s := range []*shelf{&h.free[Grey], &h.free[White], &h.free[Gold], &h.suspended} {
		n += len(s.ready.all) + len(s.ready.byPlace) + len(s.waiting.items)
	}
	for _, l := range h.lists {
		n += len(l.origins) + l.largest
	}
	return n
}
