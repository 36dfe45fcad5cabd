package hosts

import (
	"iter"
	"math/rand/v2"
	"time"

	"dchat/p2p/addr"
)

// Colour is the list an address is on. An address is on one list at most.
type Colour uint8

// The lists, and how many addresses each holds at most.
const (
	Grey  Colour = iota // heard of, not tried yet, or gone since: 2,000
	White               // answered when it was tried: 5,000
	Gold                // has been connected to: 5,000
	Dark                // valid, but nothing this node can dial; only passed on, for a day: 1,000
	Black               // banned, for a time: 10,000
	colours
)

var colourNames = [colours]string{"grey", "white", "gold", "dark", "black"}

var capacity = [colours]int{Grey: 2000, White: 5000, Gold: 5000, Dark: 1000, Black: 10000}

// String returns the colour's name as it stands in the host list file.
func (c Colour) String() string { return colourNames[c] }

func colourNamed(name string) (Colour, bool) {
	for c, n := range colourNames {
		if n == name {
			return Colour(c), true
		}
	}
	return 0, false
}

// entry is an address on a list.
type entry struct {
	addr   addr.Addr
	key    endpoint
	seen   uint64 // when it was last known to work, in Unix seconds
	colour Colour
	origin *origin
	pos    int // in its list

	arrived  time.Time // when it was told; zero when that was in another run
	answered time.Time // last; zero when it never has
	failures int       // attempts in a row that failed
	due      time.Time // not picked before
	heard    int64     // the greater the later; 0 once it has been tried

	// Where it is to be picked from; nil when it cannot be.
	shelf    *shelf
	group    *group // of the shelf, when it is ready
	groupPos int
	queued   int // in what waits, or in what is fresh
}

func (e *entry) fresh() bool { return e.heard != 0 }

// origin is a part of the network and how many of a list's entries it has told.
type origin struct {
	place   place
	entries int
}

// ourselves is the origin of what this node found out by connecting.
var ourselves = place{}

// list holds entries in no order, so that a random one costs nothing.
type list struct {
	max     int
	entries []*entry
	origins map[place]*origin

	// sizes[n] is the number of origins, but for ourselves, that told n entries,
	// largest the greatest n there is. Both follow every change in constant time.
	sizes   []int
	largest int
}

func newList(most int) *list {
	return &list{max: most, origins: make(map[place]*origin)}
}

func (l *list) full() bool { return len(l.entries) >= l.max }

// told is how many entries came from an origin.
func (l *list) told(by place) int {
	if o := l.origins[by]; o != nil {
		return o.entries
	}
	return 0
}

func (l *list) add(e *entry, from place) {
	o := l.origins[from]
	if o == nil {
		o = &origin{place: from}
		l.origins[from] = o
	}
	e.origin, e.pos = o, len(l.entries)
	l.entries = append(l.entries, e)
	l.resize(o, o.entries+1)
}

func (l *list) remove(e *entry) {
	last := len(l.entries) - 1
	l.swap(e.pos, last)
	l.entries[last] = nil
	l.entries = l.entries[:last]
	l.resize(e.origin, e.origin.entries-1)
	if e.origin.entries == 0 {
		delete(l.origins, e.origin.place)
	}
}

func (l *list) resize(o *origin, n int) {
	was := o.entries
	o.entries = n
	if o.place == ourselves {
		return
	}
	for len(l.sizes) <= n {
		l.sizes = append(l.sizes, 0)
	}
	if was > 0 {
		l.sizes[was]--
	}
	l.sizes[n]++
	l.largest = max(l.largest, n)
	for l.largest > 0 && l.sizes[l.largest] == 0 {
		l.largest--
	}
}

func (l *list) swap(i, j int) {
	l.entries[i], l.entries[j] = l.entries[j], l.entries[i]
	l.entries[i].pos, l.entries[j].pos = i, j
}

// shuffled returns the entries in random order; taking a few of many costs no
// more than those few. The list must not change meanwhile.
func (l *list) shuffled(random *rand.Rand) iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		for i := range l.entries {
			l.swap(i, i+random.IntN(len(l.entries)-i))
			if !yield(l.entries[i]) {
				return
			}
		}
	}
}
