package hosts

import (
	"fmt"

	"dchat/p2p/addr"
)

// Tellers is how many peers' accounts are kept.
func (h *Hosts) Tellers() int { return len(h.spent) }

// Records is how many hosts' offences are remembered.
func (h *Hosts) Records() int { return len(h.records.byKey) }

// Drop takes an address off its list.
func (h *Hosts) Drop(a addr.Addr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forget(endpointOf(a))
}

// Check calls fail when the shelves do not hold what they should.
func (h *Hosts) Check(fail func(format string, args ...any)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	shelved, fresh := 0, 0
	for _, e := range h.listed {
		switch s := h.shelfOf(e); {
		case e.shelf != s:
			fail("%s is not where it belongs", e.addr)
		case s == nil:
			continue
		case e.group != nil && e.group.entries[e.groupPos] != e, e.group == nil && s.waiting.items[e.queued] != e:
			fail("%s is not where it thinks it is", e.addr)
		case e.group != nil && e.fresh() && s == &h.free[Grey]:
			if fresh++; h.fresh.items[e.queued] != e {
				fail("%s is not among the fresh ones", e.addr)
			}
		}
		shelved++
	}
	for _, s := range []*shelf{&h.free[Grey], &h.free[White], &h.free[Gold], &h.suspended} {
		shelved -= len(s.waiting.items)
		for _, g := range s.ready.all {
			shelved -= len(g.entries)
		}
	}
	if shelved != 0 || fresh != len(h.fresh.items) {
		fail("%d too few on shelves, %d of %d fresh", shelved, fresh, len(h.fresh.items))
	}
}

// Traces is how many things are kept of the addresses on the lists, beside
// themselves.
func (h *Hosts) Traces() int {
	n := len(h.listed) + len(h.crowds) + len(h.states) + len(h.held) + len(h.heldOf) + len(h.heldFrom) + h.knownHeld + len(h.fresh.items)
	for _, s := range []*shelf{&h.free[Grey], &h.free[White], &h.free[Gold], &h.suspended} {
		n += len(s.ready.all) + len(s.ready.byPlace) + len(s.waiting.items)
	}
	for _, l := range h.lists {
		n += len(l.origins) + l.largest
	}
	return n
}

// Verify returns what is wrong with the lists, the limits, what slots hold, the
// states and the bans: each is counted once more.
func (h *Hosts) Verify() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, check := range []func() error{h.checkLists, h.checkCrowds, h.checkHeld, h.checkTerms} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (h *Hosts) checkLists() error {
	n := 0
	for c, l := range h.lists {
		n += len(l.entries)
		if len(l.entries) > l.max {
			return fmt.Errorf("%v holds %d", Colour(c), len(l.entries))
		}
		told := make(map[place]int)
		largest := 0
		for i, e := range l.entries {
			switch {
			case e.pos != i, e.colour != Colour(c), h.listed[e.key] != e:
				return fmt.Errorf("%v: entry %d is %v at %d", Colour(c), i, e.colour, e.pos)
			case l.origins[e.origin.place] != e.origin:
				return fmt.Errorf("%s has an origin that is not counted", e.addr)
			case h.barred(e.key), h.rules.Load().blacklist.has(e.key), h.rules.Load().configured[e.key]:
				return fmt.Errorf("%s is on a list and should be on none", e.addr)
			}
			told[e.origin.place]++
			if e.origin.place != ourselves {
				largest = max(largest, told[e.origin.place])
			}
		}
		if len(told) != len(l.origins) || largest != l.largest {
			return fmt.Errorf("%v: %d origins, the largest %d; counted %d and %d", Colour(c), len(told), largest, len(l.origins), l.largest)
		}
		for at, o := range l.origins {
			if o.entries != told[at] {
				return fmt.Errorf("%v: %v told %d, counted %d", Colour(c), at, told[at], o.entries)
			}
		}
	}
	if n != len(h.listed) {
		return fmt.Errorf("%d on the lists, %d known", n, len(h.listed))
	}
	return nil
}

func (h *Hosts) checkCrowds() error {
	want := make(map[place]int)
	for _, e := range h.listed {
		if h.localnet {
			break
		}
		for _, p := range e.crowds() {
			want[p]++
		}
	}
	for p, crowd := range h.crowds {
		if len(crowd) != want[p] || len(crowd) > maxPerSubnet || p == crowd[0].key.host() && len(crowd) > maxPerHost {
			return fmt.Errorf("%v holds %d, counted %d", p, want[p], len(crowd))
		}
	}
	if len(want) != len(h.crowds) {
		return fmt.Errorf("%d places, counted %d", len(want), len(h.crowds))
	}
	return nil
}

func (h *Hosts) checkHeld() error {
	ofGroup, known := make(map[place]int), 0
	for key, held := range h.held {
		if s := h.states[key]; s != Connecting && s != Connected {
			return fmt.Errorf("%v is held, and %v", key, s)
		}
		if ofGroup[held.group]++; held.known {
			known++
		}
	}
	if known != h.knownHeld || len(ofGroup) != len(h.heldOf) {
		return fmt.Errorf("%d known are held in %d groups, counted %d in %d", known, len(ofGroup), h.knownHeld, len(h.heldOf))
	}
	for group, n := range ofGroup {
		if n != h.heldOf[group] || n > mostPerGroup && !h.localnet {
			return fmt.Errorf("%d of %v are held, counted %d", n, group, h.heldOf[group])
		}
	}
	for key, s := range h.states {
		if s == Free || s == Suspended && (h.listed[key] == nil || h.listed[key].colour != Grey) {
			return fmt.Errorf("%v is %v for nothing", key, s)
		}
	}
	return nil
}

func (h *Hosts) checkTerms() error {
	for name, n := range map[string][3]int{
		"bans":    {len(h.bans.byKey), len(h.bans.queue.items), capacity[Black]},
		"records": {len(h.records.byKey), len(h.records.queue.items), mostRecords},
		"ours":    {len(h.ours.byKey), len(h.ours.queue.items), mostOurs},
	} {
		if n[0] != n[1] || n[0] > n[2] {
			return fmt.Errorf("%d %s, queued %d", n[0], name, n[1])
		}
	}
	return nil
}
