package hosts

import (
	"time"

	"dchat/p2p/addr"
)

// admit puts an address that answered us on a list, taking it off the one it is
// on, and returns its entry; nil when it is fit for no list or there is no room.
func (h *Hosts) admit(a addr.Addr, key endpoint, to Colour) *entry {
	now := h.unix()
	e := h.listed[key]
	if e == nil {
		if _, ok := h.rules.Load().judge(a, key, thisMachine); !ok || h.barred(key) {
			return nil
		}
		e = &entry{addr: a, key: key}
	}
	if !h.recolour(e, to, now) {
		return nil
	}
	h.unshelve(e)
	e.answered, e.due, e.heard = h.now(), time.Time{}, 0
	return e
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

// forget takes an address off its list.
func (h *Hosts) forget(key endpoint) {
	if e := h.listed[key]; e != nil {
		h.remove(e)
	}
}
