package hosts

import (
	"maps"

	"dchat/p2p/addr"
)

// State is what an address is in use for. Only one thing at a time: two slots
// never dial the same address.
type State uint8

// The states of an address.
const (
	Free       State = iota // in use for nothing
	Refining                // being tried, to see whether it answers
	Connecting              // being dialled
	Connected               // there is a channel to it
	Suspended               // a dial failed: only the refinery may try it
)

var stateNames = [...]string{"free", "being refined", "being dialled", "connected", "suspended"}

// String returns the state in words.
func (s State) String() string { return stateNames[s] }

// mayBecome says which state can follow which. What happens at once, under the
// lock, needs no state of its own: to be put on a list an address must be
// free, to be moved to another, or suspended, it must not be suspended.
func (s State) mayBecome(next State) bool {
	switch next {
	case Refining:
		return s == Free || s == Suspended
	case Connecting:
		return s == Free
	case Connected:
		return s == Free || s == Connecting || s == Refining
	default: // these have methods of their own
		return false
	}
}

// mostStates is how many addresses can be in use at a time.
const mostStates = 20_000

// StateOf returns what an address is in use for.
func (h *Hosts) StateOf(a addr.Addr) State {
	key := endpointOf(a)
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.states[key]
}

// Claim takes an address, on a list or not, into use: as Refining when it is free or
// suspended, as Connecting when it is free, as Connected when it is free,
// being dialled or being refined. Else the error is a *StateError, or
// ErrTooMany. The address stays in use until Release.
func (h *Hosts) Claim(a addr.Addr, as State) error {
	key := endpointOf(a)
	h.mu.Lock()
	defer h.mu.Unlock()
	is := h.states[key]
	if !is.mayBecome(as) {
		return &StateError{Addr: a, State: is, Wanted: "become " + as.String()}
	}
	if is == Free && len(h.states) >= mostStates {
		return ErrTooMany
	}
	h.states[key] = as
	return nil
}

// Release makes an address free, whatever it was in use for.
func (h *Hosts) Release(a addr.Addr) {
	key := endpointOf(a)
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.states, key)
}

// Suspend says that dialling an address failed: it goes to the grey list and
// only the refinery may try it next. One that is on no list is forgotten, one
// that was banned meanwhile stays so; both become free. The error is a
// *StateError when the address is suspended already.
func (h *Hosts) Suspend(a addr.Addr) error {
	key := endpointOf(a)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.states[key] == Suspended {
		return &StateError{Addr: a, State: Suspended, Wanted: "be suspended"}
	}
	delete(h.states, key)
	if e := h.listed[key]; e != nil && e.colour != Black && h.recolour(e, Grey, e.seen) {
		h.states[key] = Suspended
	}
	return nil
}

// Resume frees all suspended addresses, for when the fault may be our own
// network's.
func (h *Hosts) Resume() {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(h.states, func(_ endpoint, s State) bool { return s == Suspended })
}

func (h *Hosts) idle(e *entry) bool {
	s := h.states[e.key]
	return s == Free || s == Suspended
}
