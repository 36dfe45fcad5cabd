package hosts

import (
	"time"

	"dchat/p2p/addr"
)

// keepSilent is how long an address that has answered is kept although it does
// so no longer: a network that is cut in two comes together again.
const keepSilent = 24 * time.Hour

// Connected says that there is a channel to an address, which must be free, being
// dialled or being refined. It becomes Connected and goes on the gold list; one
// that is fit for no list, such as a configured peer, is on none. The error is a
// *StateError, or ErrTooMany. What failed before is forgotten when the channel
// turns out to last, see Disconnected.
func (h *Hosts) Connected(a addr.Addr) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.claim(a, Connected); err != nil {
		return err
	}
	h.admit(a, endpointOf(a), Gold)
	return nil
}

// Disconnected says that a channel has ended after so long: its address goes to
// the grey list, seen now, and is free. When the channel lasted 10 s or more it may
// be dialled again after 0.2 to 1 s; a shorter one is a failure, see Failed.
func (h *Hosts) Disconnected(a addr.Addr, lasted time.Duration) {
	key := endpointOf(a)
	h.mu.Lock()
	defer h.mu.Unlock()
	if e := h.admit(a, key, Grey); e != nil && lasted < GoodTime {
		h.fail(e)
	} else if e != nil {
		e.failures, e.due = 0, h.now().Add(h.moment())
	}
	h.setState(key, Free)
}

// Failed says that an address could not be dialled, or its handshake failed: it
// goes to the grey list and becomes Suspended, so that only the refinery tries it
// next, after 1 s; after 2, 4, 8 … s up to a minute, when that is the second, third …
// failure in a row. All of these pauses are cut by up to a quarter at random. One
// that is on no list is forgotten.
func (h *Hosts) Failed(a addr.Addr) {
	key := endpointOf(a)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.setState(key, h.failed(key))
}

// failed puts an address on the grey list for the refinery and returns the state
// it is to have.
func (h *Hosts) failed(key endpoint) State {
	e := h.listed[key]
	if e == nil || e.colour == Dark || !h.recolour(e, Grey, e.seen) {
		return Free
	}
	h.fail(e)
	return Suspended
}

// Answered says that an address which was being refined has answered: it goes on
// the white list, seen now, and is free. One that has been connected to meanwhile
// stays so.
func (h *Hosts) Answered(a addr.Addr) {
	key := endpointOf(a)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.busy(key) {
		return
	}
	if e := h.admit(a, key, White); e != nil {
		e.failures = 0
	}
	h.setState(key, Free)
}

// Silent says that an address which was being refined has not answered. One that
// has done so within a day, or was gold or white, also in the file, is Failed; any
// other is forgotten. One that has been connected to meanwhile stays so.
func (h *Hosts) Silent(a addr.Addr) {
	key := endpointOf(a)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.busy(key) {
		return
	}
	state := Free
	if e := h.listed[key]; e != nil && (e.colour != Grey || h.now().Sub(e.answered) <= keepSilent) {
		state = h.failed(key)
	} else {
		h.forget(key)
	}
	h.setState(key, state)
}

func (h *Hosts) busy(key endpoint) bool {
	s := h.states[key]
	return s == Connecting || s == Connected
}

// Avoid makes an address grey and free, and one that neither Select nor
// SelectRefine picks for so long: its node is none of ours.
func (h *Hosts) Avoid(a addr.Addr, d time.Duration) {
	key := endpointOf(a)
	h.mu.Lock()
	defer h.mu.Unlock()
	if e := h.listed[key]; e != nil && h.recolour(e, Grey, e.seen) {
		h.unshelve(e)
		e.failures, e.heard = 0, 0
		e.due = h.now().Add(d)
	}
	h.setState(key, Free)
}

// Resume frees all suspended addresses and forgets the pauses of all that failed,
// for when the fault may be our own network's.
func (h *Hosts) Resume() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.lists[Grey].entries {
		if e.failures == 0 {
			continue
		}
		h.unshelve(e)
		e.failures, e.due = 0, time.Time{}
		if h.idle(e) {
			h.setState(e.key, Free)
		}
	}
}

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

const (
	// GoodTime is how long a connection has to last to be a good one, whose end is no failure.
	GoodTime = 10 * time.Second
	// After a good one the address is left alone for a moment, so that two nodes
	// do not reconnect in step.
	shortestMoment, longestMoment = 200 * time.Millisecond, time.Second
	// After a failure it is left alone for a pause, which doubles with each further one.
	firstPause, longestPause = time.Second, time.Minute
)

func (h *Hosts) moment() time.Duration {
	return shortestMoment + h.upTo(longestMoment-shortestMoment)
}

// pause is cut at random by up to a quarter.
func (h *Hosts) pause(failures int) time.Duration {
	most := min(firstPause<<min(max(failures-1, 0), 6), longestPause)
	return most - h.upTo(most/4)
}

func (h *Hosts) upTo(d time.Duration) time.Duration { return time.Duration(h.random.Int64N(int64(d))) }

// fail notes one more failure of an entry.
func (h *Hosts) fail(e *entry) {
	h.unshelve(e)
	e.failures++
	e.heard = 0
	e.due = h.now().Add(h.pause(e.failures))
}
