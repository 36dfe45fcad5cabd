package hosts

import "dchat/p2p/addr"

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

// mayBecome says which state can follow which by Claim. Free and Suspended are
// what an attempt ends with: Release and the outcomes set them.
func (s State) mayBecome(next State) bool {
	switch next {
	case Refining:
		return s == Free || s == Suspended
	case Connecting:
		return s == Free
	case Connected:
		return s == Free || s == Connecting || s == Refining
	default:
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
// ErrTooMany. The address stays in use until Release, or until its outcome is told.
func (h *Hosts) Claim(a addr.Addr, as State) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.claim(a, as)
}

func (h *Hosts) claim(a addr.Addr, as State) error {
	key := endpointOf(a)
	is := h.states[key]
	if !is.mayBecome(as) {
		return &StateError{Addr: a, State: is, Wanted: "become " + as.String()}
	}
	if is == Free && len(h.states) >= mostStates {
		return ErrTooMany
	}
	h.setState(key, as)
	return nil
}

// setState also makes the address be picked, or not, and tells when it can be.
func (h *Hosts) setState(key endpoint, s State) {
	if s == Free {
		delete(h.states, key)
	} else {
		h.states[key] = s
	}
	if s != Connecting && s != Connected {
		h.letGo(key)
	}
	if e := h.listed[key]; e != nil && h.shelve(e) {
		h.tell()
	}
}

// Release makes an address free, whatever it was in use for, as if nothing had
// been done with it.
func (h *Hosts) Release(a addr.Addr) {
	key := endpointOf(a)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.setState(key, Free)
}

func (h *Hosts) idle(e *entry) bool {
	s := h.states[e.key]
	return s == Free || s == Suspended
}
