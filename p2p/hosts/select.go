package hosts

import (
	"time"

	"dchat/p2p/addr"
)

const (
	// mostKnown is the greatest share, in percent, of slots for known addresses:
	// some have to look for new ones.
	mostKnown = 80
	// mostPerGroup is how many slots hold addresses of one network of 16 bits
	// (IPv6: 32): whoever owns a whole one does not own all our connections.
	mostPerGroup = 2
)

// Select picks the address to dial for one of so many outbound slots, and makes
// it Connecting. As long as fewer slots than are for known addresses hold one, it is a gold one,
// or else a white one, or else a grey one; for the other slots it is a grey one, or
// else a gold or a white one. Of a list it is one of a random network, and within
// that a random one; unless in a localnet at most two of a network of 16 bits
// (IPv6: 32; all names together are 16 networks) are Connecting or Connected by
// Select. Left out is what is in use, waits, or is unusable just now.
//
// When there is none it is not ok; retry is then how long until there may be one
// that only waits, 0 when none does.
func (h *Hosts) Select(slots int) (a addr.Addr, retry time.Duration, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	order := []Colour{Grey, Gold, White}
	switch {
	case h.disableGreys:
		order = []Colour{Gold, White}
	case h.knownHeld < h.knownSlots(slots):
		order = []Colour{Gold, White, Grey}
	}
	for _, c := range order {
		h.wake(&h.free[c])
		refuse := func(e *entry) bool { return h.unusable(e) || h.early(e, slots) }
		if e := h.free[c].ready.pick(h.random, h.crowded, refuse); e != nil {
			return h.takeForSlot(e)
		}
	}
	for _, c := range order {
		if wait := h.retry(&h.free[c]); wait > 0 && (retry == 0 || wait < retry) {
			retry = wait
		}
	}
	return addr.Addr{}, retry, false
}

// knownSlots is how many of the slots are for addresses that have answered
// before, and one at least.
func (h *Hosts) knownSlots(slots int) int { return max(slots*h.knownPercent/100, 1) }

// holding is what an address is that Select picked and that is still in use.
type holding struct {
	group place
	from  place // who told it
	known bool
}

func (h *Hosts) crowded(group place) bool { return !h.localnet && h.heldOf[group] >= mostPerGroup }

func (h *Hosts) takeForSlot(e *entry) (addr.Addr, time.Duration, bool) {
	known, from := e.colour != Grey, e.origin.place
	if !h.take(e, Connecting) {
		return addr.Addr{}, 0, false
	}
	held := holding{group: e.key.group(), from: from, known: known}
	h.held[e.key] = held
	h.heldOf[held.group]++
	h.heldFrom[held.from]++
	if known {
		h.knownHeld++
	}
	return e.addr, 0, true
}

// letGo says that no slot holds an address any more, so that another one of its
// network can be picked, also when it is on no list itself.
func (h *Hosts) letGo(key endpoint) {
	held, ok := h.held[key]
	if !ok {
		return
	}
	delete(h.held, key)
	if h.heldOf[held.group]--; h.heldOf[held.group] == 0 {
		delete(h.heldOf, held.group)
	}
	if h.heldFrom[held.from]--; h.heldFrom[held.from] == 0 {
		delete(h.heldFrom, held.from)
	}
	if held.known {
		h.knownHeld--
	}
	h.tell()
}

// take makes an address that nobody uses be used, unless too many are.
func (h *Hosts) take(e *entry, as State) bool {
	if h.states[e.key] == Free && len(h.states) >= mostStates {
		return false
	}
	h.setState(e.key, as)
	return true
}

// dials tells whether an entry may be dialled at all.
func (h *Hosts) dials(e *entry) bool { return h.dialNames || !e.key.needsLookup() }
