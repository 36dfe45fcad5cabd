package hosts

import "math/rand/v2"

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
// that are crowded do not count, and entries that are refused must be removed by
// refuse.
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
