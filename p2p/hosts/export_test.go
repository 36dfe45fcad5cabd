package hosts

import "dchat/p2p/addr"

// Tellers is how many peers' accounts are kept.
func (h *Hosts) Tellers() int { return len(h.spent) }

// Records is how many hosts' offences are remembered.
func (h *Hosts) Records() int { return len(h.records.byKey) }

// Drop takes an address off its list.
func (h *Hosts) Drop(a addr.Addr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forget(endpointOf(a))
}

// Check calls fail when the shelves do not hold what they should.
func (h *Hosts) Check(fail func(format string, args ...any)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	shelved, fresh := 0, 0
	for _, e := range h.listed {
		switch s := h.shelfOf(e); {
		case e.shelf != s:
			fail("%s is not where it belongs", e.addr)
		case s == nil:
			continue
		case e.group != nil && e.group.entries[e.groupPos] != e, e.group == nil && s.waiting.items[e.queued] != e:
			fail("%s is not where it thinks it is", e.addr)
		case e.group != nil && e.fresh() && s == &h.free[Grey]:
			if fresh++; h.fresh.items[e.queued] != e {
				fail("%s is not among the fresh ones", e.addr)
			}
		}
		shelved++
	}
	for _, s := range []*shelf{&h.free[Grey], &h.free[White], &h.free[Gold], &h.suspended} {
		shelved -= len(s.waiting.items)
		for _, g := range s.ready.all {
			shelved -= len(g.entries)
		}
	}
	if shelved != 0 || fresh != len(h.fresh.items) {
		fail("%d too few on shelves, %d of %d fresh", shelved, fresh, len(h.fresh.items))
	}
}

// Traces is how many things are kept of the addresses on the lists, beside
// themselves.
func (h *Hosts) Traces() int {
	n := len(h.listed) + len(h.crowds) + len(h.states) + len(h.held) + len(h.heldOf) + len(h.heldFrom) + h.knownHeld + len(h.fresh.items)
	for _, s := range []*shelf{&h.free[Grey], &h.free[White], &h.free[Gold], &h.suspended} {
		n += len(s.ready.all) + len(s.ready.byPlace) + len(s.waiting.items)
	}
	for _, l := range h.lists {
		n += len(l.origins) + l.largest
	}
	return n
}
