package hosts

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// shelf holds the entries of one list that can be picked, now or when their time
// has come. So to pick one costs the same however many there are.
type shelf struct {
	ready   groups
	waiting queue[*entry] // the one whose time comes first is first
}

func newShelf() shelf {
	return shelf{waiting: queue[*entry]{
		before: func(a, b *entry) bool { return a.due.Before(b.due) },
		index:  func(e *entry) *int { return &e.queued },
	}}
}

// newFresh makes the queue of the entries that were never tried, the one that was
// heard last first.
func newFresh() queue[*entry] {
	return queue[*entry]{
		before: func(a, b *entry) bool { return a.heard > b.heard },
		index:  func(e *entry) *int { return &e.queued },
	}
}

// shelfOf returns where an entry belongs; nil when it cannot be picked, since it
// is in use or never dialled.
func (h *Hosts) shelfOf(e *entry) *shelf {
	if e.colour >= Dark || !h.dials(e) {
		return nil
	}
	switch h.states[e.key] {
	case Free:
		return &h.free[e.colour]
	case Suspended:
		return &h.suspended
	default:
		return nil
	}
}

// shelve puts an entry where it belongs by its list, its state and its time, and
// reports whether it can be picked, be it later.
func (h *Hosts) shelve(e *entry) bool {
	h.unshelve(e)
	e.shelf = h.shelfOf(e)
	switch {
	case e.shelf == nil:
		return false
	case !e.due.IsZero() && e.due.After(h.now()):
		heap.Push(&e.shelf.waiting, e)
	default:
		e.shelf.ready.add(e)
		if e.fresh() && e.shelf == &h.free[Grey] {
			heap.Push(&h.fresh, e)
		}
	}
	return true
}

func (h *Hosts) unshelve(e *entry) {
	switch {
	case e.shelf == nil:
		return
	case e.group == nil:
		heap.Remove(&e.shelf.waiting, e.queued)
	default:
		if e.fresh() && e.shelf == &h.free[Grey] {
			heap.Remove(&h.fresh, e.queued)
		}
		e.shelf.ready.remove(e)
	}
	e.shelf = nil
}

// wake makes ready whose time has come.
func (h *Hosts) wake(shelves ...*shelf) {
	for _, s := range shelves {
		for {
			e, ok := s.waiting.first()
			if !ok || e.due.After(h.now()) {
				break
			}
			h.shelve(e)
		}
	}
}

// retry is how long it takes until the first of those that wait is ready; 0 when
// none waits.
func (h *Hosts) retry(shelves ...*shelf) (wait time.Duration) {
	now := h.now()
	for _, s := range shelves {
		if e, ok := s.waiting.first(); ok && (wait == 0 || e.due.Sub(now) < wait) {
			wait = max(e.due.Sub(now), 1)
		}
	}
	return wait
}

// unusablePause is how long an address that cannot be dialled just now is not
// looked at again.
const unusablePause = 5 * time.Second

// unusable tells whether an entry cannot be dialled just now; then it waits.
func (h *Hosts) unusable(e *entry) bool {
	if h.isUnusable == nil || !h.isUnusable(e.addr) {
		return false
	}
	h.unshelve(e)
	e.due = h.now().Add(unusablePause)
	h.shelve(e)
	return true
}

// groups are entries by the part of the network they are in, each part as likely
// to be picked as any other: many addresses in few networks get few turns.
type groups struct {
	all     []*group
	byPlace map[place]*group
}

type group struct {
	place   place
	pos     int
	entries []*entry
}

func (g *groups) add(e *entry) {
	at := e.key.group()
	in := g.byPlace[at]
	if in == nil {
		in = &group{place: at, pos: len(g.all)}
		if g.byPlace == nil {
			g.byPlace = make(map[place]*group)
		}
		g.byPlace[at] = in
		g.all = append(g.all, in)
	}
	e.group, e.groupPos = in, len(in.entries)
	in.entries = append(in.entries, e)
}

func (g *groups) remove(e *entry) {
	in := e.group
	e.group = nil
	last := len(in.entries) - 1
	in.entries[e.groupPos] = in.entries[last]
	in.entries[e.groupPos].groupPos = e.groupPos
	in.entries[last] = nil
	in.entries = in.entries[:last]
	if last > 0 {
		return
	}
	delete(g.byPlace, in.place)
	last = len(g.all) - 1
	g.swap(in.pos, last)
	g.all[last] = nil
	g.all = g.all[:last]
}

func (g *groups) swap(i, j int) {
	g.all[i], g.all[j] = g.all[j], g.all[i]
	g.all[i].pos, g.all[j].pos = i, j
}

// pick returns a random entry of a random group; nil when there is none. Groups
// that are crowded do not count. refuse must remove each entry for which it is true.
func (g *groups) pick(random *rand.Rand, crowded func(place) bool, refuse func(*entry) bool) *entry {
	for n := len(g.all); n > 0; n = min(n, len(g.all)) {
		in := g.all[random.IntN(n)]
		if crowded(in.place) {
			n--
			g.swap(in.pos, n) // not to be looked at again
			continue
		}
		if e := in.entries[random.IntN(len(in.entries))]; !refuse(e) {
			return e
		}
	}
	return nil
}
