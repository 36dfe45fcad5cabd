package hosts

import (
	"time"

	"dchat/p2p/addr"
)

// mostKnown is the greatest share, in percent, of slots for known addresses: some
// have to look for new ones.
const mostKnown = 80

// Select picks the address to dial for one of so many outbound slots, and makes
// it Connecting; false when there is none. It looks at random gold addresses, as
// many as there are slots for known ones, fills up with random white ones and takes
// the first that is free; only when all of these are in use it takes any grey one
// that is free. So the number of slots that hold known addresses stays at that share as
// long as there are others.
func (h *Hosts) Select(slots int) (a addr.Addr, retry time.Duration, ok bool) {
	a, ok = h.sel(slots)
	return a, 0, ok
}

func (h *Hosts) sel(slots int) (addr.Addr, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	known := h.knownSlots(slots)
	seen := 0
	for _, c := range [...]Colour{Gold, White} {
		for e := range h.lists[c].shuffled(h.random) {
			if seen >= known {
				break
			}
			if !h.dials(e) {
				continue
			}
			if seen++; h.states[e.key] == Free {
				return h.take(e, Connecting)
			}
		}
	}
	if h.disableGreys {
		return addr.Addr{}, false
	}
	return h.takeGrey(Connecting)
}

// knownSlots is how many of the slots are for addresses that have answered
// before, and one at least.
func (h *Hosts) knownSlots(slots int) int {
	if h.disableGreys || slots < 1 {
		return slots
	}
	return max(slots*h.knownPercent/100, 1)
}

// SelectRefine picks a random grey address, suspended or not, to be tried and makes it
// Refining; false when there is none.
func (h *Hosts) SelectRefine() (a addr.Addr, retry time.Duration, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a, ok = h.takeGrey(Refining)
	return a, 0, ok
}

func (h *Hosts) takeGrey(as State) (addr.Addr, bool) {
	for e := range h.lists[Grey].shuffled(h.random) {
		if h.dials(e) && h.states[e.key].mayBecome(as) {
			return h.take(e, as)
		}
	}
	return addr.Addr{}, false
}

func (h *Hosts) take(e *entry, as State) (addr.Addr, bool) {
	if h.states[e.key] == Free && len(h.states) >= mostStates {
		return addr.Addr{}, false
	}
	h.states[e.key] = as
	return e.addr, true
}

// dials tells whether an entry may be dialled at all.
func (h *Hosts) dials(e *entry) bool { return h.dialNames || !e.key.needsLookup() }
