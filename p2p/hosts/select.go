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
// it Connecting. Some of the slots, see KnownPeerPercent, are for known addresses:
// while fewer slots hold one, it is a gold address, else a white one, else a grey one.
// For the other slots it is a grey one, else a gold one, else a white one.
//
// Of a list it is a random address of a random network. At most two addresses of one
// network of 16 bits (IPv6: 32; all names together are 16 networks) are Connecting or
// Connected by Select, unless in a localnet. Left out is what is in use, waits, or is
// unusable just now.
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

// shareTime is how long after it was told an address may have to wait for those
// that others tell.
const shareTime = 10 * time.Second

// early tells whether an address has to wait, since the slots of whoever told it
// are taken. All seeds are asked at the same time, and the one that answers first
// must not fill every slot: until the others had time to answer, what one part of the
// network has told gets no more slots than a seed's share. With one seed there are no
// others.
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
	now := h.unix()
	for {
		e := h.oldestReady()
		if e == nil || time.Duration(now-min(e.seen, now))*time.Second <= age {
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

// News returns how many addresses have come on the grey list by hearsay since the
// start, and a channel that is closed when Select or SelectRefine may find more
// than before, or sooner than they said. To wait for that: call it, then Select,
// then wait.
func (h *Hosts) News() (heard uint64, changed <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.changed == nil {
		h.changed = make(chan struct{})
	}
	return h.heard, h.changed
}

// tell wakes those who wait for News, under mu.
func (h *Hosts) tell() {
	if h.changed != nil {
		close(h.changed)
		h.changed = nil
	}
}
