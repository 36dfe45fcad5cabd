package hosts

import (
	"time"

	"dchat/p2p/addr"
)

// turnOfAll says that every fourth address to refine is any one, so that a stream
// of new ones does not keep all others waiting.
const turnOfAll = 4

// SelectRefine picks a grey address, suspended or not, to be tried, and makes it
// Refining: of those that were never tried the one heard of last, and when there
// is none, or every fourth time, a random one of a random network. Left out is
// what is in use, waits, or is unusable just now.
//
// When there is none it is not ok; retry is then how long until there may be one
// that only waits, 0 when none does.
func (h *Hosts) SelectRefine() (a addr.Addr, retry time.Duration, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wake(&h.free[Grey], &h.suspended)
	var e *entry
	if h.refineTurn++; h.refineTurn%turnOfAll != 0 {
		e = h.freshest()
	}
	if e == nil {
		e = h.anyGrey()
	}
	if e == nil {
		return addr.Addr{}, h.retry(&h.free[Grey], &h.suspended), false
	}
	if !h.take(e, Refining) {
		return addr.Addr{}, 0, false
	}
	return e.addr, 0, true
}

func (h *Hosts) freshest() *entry {
	for {
		e, ok := h.fresh.first()
		if !ok || !h.unusable(e) {
			return e
		}
	}
}

// anyGrey picks among the free and the suspended ones.
func (h *Hosts) anyGrey() *entry {
	first, second := &h.free[Grey].ready, &h.suspended.ready
	if n := len(second.all); n > 0 && h.random.IntN(len(first.all)+n) < n {
		first, second = second, first
	}
	everywhere := func(place) bool { return false }
	if e := first.pick(h.random, everywhere, h.unusable); e != nil {
		return e
	}
	return second.pick(h.random, everywhere, h.unusable)
}

// SelectRecheck picks, of the white addresses that are free, the one that was seen
// before all others, if that is longer ago than age, and makes it Refining.
func (h *Hosts) SelectRecheck(age time.Duration) (addr.Addr, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wake(&h.free[White])
	for {
		e := h.oldestReady()
		if e == nil || time.Duration(h.unix()-min(e.seen, h.unix()))*time.Second <= age {
			return addr.Addr{}, false
		}
		if !h.unusable(e) {
			return e.addr, h.take(e, Refining)
		}
	}
}

// oldestReady looks through the white list, which is seldom asked for.
func (h *Hosts) oldestReady() (out *entry) {
	for _, g := range h.free[White].ready.all {
		for _, e := range g.entries {
			if out == nil || e.seen < out.seen {
				out = e
			}
		}
	}
	return out
}
