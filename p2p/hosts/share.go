package hosts

import "time"

// shareTime is how long after it was told an address may have to wait for those
// that others tell.
const shareTime = 10 * time.Second

// early tells whether an address has to wait, since the slots of whoever told it
// are taken. All seeds are asked at the same time, and the one that answers first
// must not fill every slot: each part of the network that tells addresses gets as many slots as
// there are for each seed, until the others had time to answer. With one seed there
// are no others.
func (h *Hosts) early(e *entry, slots int) bool {
	seeds := h.rules.Load().seeds
	from := e.origin.place
	if seeds < 2 || from == ourselves || h.heldFrom[from] < max(slots/seeds, 1) {
		return false
	}
	ready := e.arrived.Add(shareTime)
	if e.arrived.IsZero() || !ready.After(h.now()) {
		return false
	}
	h.unshelve(e)
	e.due = ready
	h.shelve(e)
	return true
}
