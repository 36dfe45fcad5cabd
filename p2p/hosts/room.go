package hosts

const (
	maxPerHost   = 4  // entries, so ports and schemes, of one IP or name
	maxPerSubnet = 16 // entries of one /24, or /48 of IPv6
	// groupShare is the part of the grey and of the dark list that one group of
	// peers can fill with what it tells.
	groupShare = 32
	// ownShare is the part that what we have connected to before keeps against
	// what peers tell.
	ownShare = 2
)

// insert puts an address that is on no list on one, and reports whether there
// was room. What it needs room for may push out addresses that were only heard
// of: of those that share the limit a random one from whoever told most of them.
func (h *Hosts) insert(e *entry, to Colour, from place) bool {
	if !h.roomAtPlace(e.key, to, from) || !h.roomOnList(to, from) {
		return false
	}
	h.put(e, to, from)
	return true
}

func (h *Hosts) roomAtPlace(key endpoint, to Colour, from place) bool {
	if h.localnet {
		return true
	}
	if l := h.lists[to]; from != ourselves && l.told(from) >= l.max/groupShare {
		return false
	}
	crowd := h.crowds[key.host()]
	if len(crowd) < maxPerHost {
		crowd = h.crowds[key.subnet()]
		if len(crowd) < maxPerSubnet {
			return true
		}
	}
	return h.evict(h.fromCrowd(crowd, from))
}

func (h *Hosts) roomOnList(to Colour, from place) bool {
	l := h.lists[to]
	if l.full() && to == Dark {
		h.expireDark(h.unix())
	}
	return !l.full() || h.evict(h.fromList(l, to, from))
}

func (h *Hosts) evict(e *entry) bool {
	if e == nil {
		return false
	}
	h.remove(e)
	return true
}

// fromCrowd returns the entry that makes room among those at one place, or nil.
func (h *Hosts) fromCrowd(crowd []*entry, from place) (out *entry) {
	told := make(map[place]int, len(crowd))
	for _, e := range crowd {
		told[e.origin.place]++
	}
	most := 0
	if from != ourselves {
		most = told[from] + 1
	}
	for _, i := range h.random.Perm(len(crowd)) {
		if e := crowd[i]; h.hearsay(e) && told[e.origin.place] > most {
			out, most = e, told[e.origin.place]
		}
	}
	return out
}

// hearsay tells whether an entry is one that others told and nobody uses.
func (h *Hosts) hearsay(e *entry) bool {
	return (e.colour == Grey || e.colour == Dark) && e.origin.place != ourselves && h.idle(e)
}

// fromList returns the entry that makes room on a full list, or nil.
func (h *Hosts) fromList(l *list, c Colour, from place) *entry {
	if c != Grey && c != Dark {
		return h.oldest(l)
	}
	ours := l.told(ourselves) > l.max/ownShare
	if !ours && from != ourselves && l.told(from)+1 >= l.largest {
		return nil
	}
	for e := range l.shuffled(h.random) {
		mine := e.origin.place == ourselves
		if h.idle(e) && mine == ours && (mine || e.origin.entries == l.largest) {
			return e
		}
	}
	return nil
}

// oldest returns, of those of a list that are not in use, the entry that was seen
// before all others of the groups that have most. These lists grow by what this
// node does itself, so seldom enough to look through them.
func (h *Hosts) oldest(l *list) (out *entry) {
	size := make(map[place]int)
	for _, e := range l.entries {
		size[e.key.group()]++
	}
	most := 0
	for _, e := range l.entries {
		n := size[e.key.group()]
		if h.idle(e) && (n > most || n == most && e.seen < out.seen) {
			out, most = e, n
		}
	}
	return out
}

// put makes an entry part of a list.
func (h *Hosts) put(e *entry, to Colour, from place) {
	e.colour = to
	h.lists[to].add(e, from)
	h.listed[e.key] = e
	if h.shelve(e) {
		h.tell()
	}
	if !h.localnet {
		for _, p := range e.crowds() {
			h.crowds[p] = append(h.crowds[p], e)
		}
	}
}

// remove takes an entry off its list. One that is suspended is so no longer:
// only what is on a list can be.
func (h *Hosts) remove(e *entry) {
	h.unshelve(e)
	h.lists[e.colour].remove(e)
	delete(h.listed, e.key)
	if h.states[e.key] == Suspended {
		delete(h.states, e.key)
	}
	if h.localnet {
		return
	}
	for _, p := range e.crowds() {
		if rest := without(h.crowds[p], e); len(rest) > 0 {
			h.crowds[p] = rest
		} else {
			delete(h.crowds, p)
		}
	}
}

// crowds are the places whose entries are counted with this one.
func (e *entry) crowds() []place {
	if subnet := e.key.subnet(); subnet != (place{}) {
		return []place{e.key.host(), subnet}
	}
	return []place{e.key.host()}
}

func without(crowd []*entry, e *entry) []*entry {
	for i, other := range crowd {
		if other == e {
			last := len(crowd) - 1
			crowd[i], crowd[last] = crowd[last], nil
			return crowd[:last]
		}
	}
	return crowd
}

// expireDark forgets the dark addresses that are too old to be passed on.
func (h *Hosts) expireDark(now uint64) {
	l := h.lists[Dark]
	for i := len(l.entries) - 1; i >= 0; i-- {
		if e := l.entries[i]; now-min(e.seen, now) > darkAge {
			h.remove(e)
		}
	}
}
