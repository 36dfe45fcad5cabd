package hosts

import "dchat/p2p/addr"

// Move puts an address on a list, taking it off the one it is on: white when it
// has answered, gold when it is connected to, grey when it is so no longer, black
// when it is banned. Its time becomes now, except on the way to grey when it
// was not connected. One that is on no list must be fit for one first, but for
// the black one: the error is then a *RefusedError. It is one too when the address
// is banned: only Drop lifts that. A *StateError says that the address is
// suspended.
func (h *Hosts) Move(a addr.Addr, to Colour) error {
	key := endpointOf(a)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.states[key] == Suspended {
		return &StateError{Addr: a, State: Suspended, Wanted: "be moved"}
	}
	now := h.unix()
	e := h.listed[key]
	switch {
	case e == nil && to == Black:
		e = &entry{addr: a, key: key, seen: now}
		if key.port == 0 || a.Host() == "" {
			return &RefusedError{Addr: a, Reason: reasonPort}
		}
	case e == nil:
		if _, reason := h.rules.judge(a, key, thisMachine); reason != "" {
			return &RefusedError{Addr: a, Reason: reason}
		}
		e = &entry{addr: a, key: key, seen: now}
	case e.colour == Black && to != Black:
		return &RefusedError{Addr: a, Reason: reasonBlack}
	}
	seen := now
	if to == Grey && h.states[key] != Connected {
		seen = e.seen
	}
	if !h.recolour(e, to, seen) {
		return &RefusedError{Addr: a, Reason: reasonFull}
	}
	return nil
}

// recolour moves an entry, which may be on no list, and reports whether there
// was room; if not it is on none.
func (h *Hosts) recolour(e *entry, to Colour, seen uint64) bool {
	if h.listed[e.key] == e {
		if e.colour == to {
			e.seen = seen
			return true
		}
		h.remove(e)
	}
	e.seen = seen
	return h.insert(e, to, ourselves)
}

// Drop forgets an address: one that the refinery found dead, or a ban.
func (h *Hosts) Drop(a addr.Addr) {
	key := endpointOf(a)
	h.mu.Lock()
	defer h.mu.Unlock()
	if e := h.listed[key]; e != nil {
		h.remove(e)
	}
}
