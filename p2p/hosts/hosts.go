// Package hosts is what a node knows of others' addresses: which ones there are
// and how they came to be known (the lists), which are in use and for what (the
// registry), which one to dial or to try next and when, who is banned, what to
// tell a peer that asks, and what of it all survives a restart (the host list
// file).
//
// Everything peers tell is taken to be invented until it has been tried. So an
// address must be dialable and public, one machine and one subnet get few
// entries, one peer can add little at a time, and what the peers of one part of
// the network have told never takes more than a small share of a list: who talks
// most loses first when there is no room.
//
// Hosts is the one owner of all that. Its methods may be called from any
// goroutine; none but Load, Save and Close does I/O, and those hold no lock that
// others wait for. It starts no goroutine.
package hosts

import (
	"cmp"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/addr"
	"dchat/p2p/wire"
)

// Settings is what Hosts needs to be told.
type Settings struct {
	// Localnet makes addresses of private networks and of this machine
	// acceptable, from peers that are as near, and lifts the limits on how many
	// of them there are at one place. Default false.
	Localnet bool

	// Dialable are the schemes whose addresses the node can dial; see the
	// function Dialable.
	Dialable []string

	// DialNames lets addresses that peers told be dialled when they are DNS names:
	// whoever owns a name decides whom we connect to. Default false: they are
	// kept and passed on only.
	DialNames bool

	// External are the node's own addresses; Peers and Seeds the configured ones.
	// None of them ever comes on a list.
	External, Peers, Seeds []addr.Addr

	// Blacklist is what the operator refuses.
	Blacklist Blacklist

	// KnownPeerPercent is the share of slots, 0 to 80, that Select fills with
	// addresses that have answered before; more counts as 80. It is one slot at least.
	KnownPeerPercent int

	// DisableGreys makes Select return only addresses that have answered before.
	DisableGreys bool

	// BanTime is how long the first ban of a peer lasts; each further one lasts
	// twice as long as the one before. 0 is one day.
	BanTime time.Duration

	// Unusable, when not nil, names addresses that cannot be dialled just now, such
	// as those of a family that leads nowhere. It is called under a lock.
	Unusable func(addr.Addr) bool

	// File is the path of the host list; empty keeps nothing. Its directory is
	// made when it is missing, and File+".lock" is what keeps others out.
	File string
}

// Hosts is what a node knows of others' addresses.
type Hosts struct {
	// Not changed after New.
	localnet     bool
	dialNames    bool
	knownPercent int
	disableGreys bool
	banTime      time.Duration
	isUnusable   func(addr.Addr) bool // or nil
	log          *zap.Logger
	now          func() time.Time

	store store                 // has a lock of its own
	rules atomic.Pointer[rules] // replaced under mu

	mu     sync.Mutex // guards what follows
	random *rand.Rand
	lists  [Black]*list
	listed map[endpoint]*entry
	crowds map[place][]*entry // by host and by subnet; unused in a localnet
	states map[endpoint]State // of addresses in use
	spent  map[place]int      // entries that a peer told since it was asked

	// What can be picked.
	free       [Dark]shelf
	suspended  shelf
	fresh      queue[*entry] // of the free grey ones
	refineTurn int

	// What Select picked and is in use.
	held      map[endpoint]holding
	heldOf    map[place]int // by group
	heldFrom  map[place]int // by who told them
	knownHeld int

	bans    terms[banned]   // of a host, or of an endpoint without its scheme
	records terms[record]   // of hosts
	ours    terms[struct{}] // endpoints without their schemes

	heard   uint64        // addresses that came on the grey list
	loaded  int64         // addresses that the file gave
	changed chan struct{} // nil: nobody waits
}

// Option replaces something that Hosts gets from its surroundings.
type Option func(*Hosts)

// WithClock sets the clock by which addresses age, instead of time.Now.
func WithClock(now func() time.Time) Option { return func(h *Hosts) { h.now = now } }

// WithRand sets where chance comes from. Peers should not be able to guess it.
func WithRand(source rand.Source) Option { return func(h *Hosts) { h.random = rand.New(source) } }

// unguessable is the runtime's own generator.
type unguessable struct{}

// Uint64 implements rand.Source.
func (unguessable) Uint64() uint64 { return rand.Uint64() }

// New makes an empty address book. Nothing is read before Load.
func New(s Settings, log *zap.Logger, options ...Option) *Hosts {
	h := &Hosts{
		localnet:     s.Localnet,
		dialNames:    s.DialNames,
		knownPercent: min(s.KnownPeerPercent, mostKnown),
		disableGreys: s.DisableGreys,
		banTime:      cmp.Or(s.BanTime, defaultBanTime),
		isUnusable:   s.Unusable,
		log:          log,
		now:          time.Now,
		store:        store{path: s.File},
		random:       rand.New(unguessable{}),
		listed:       make(map[endpoint]*entry),
		crowds:       make(map[place][]*entry),
		states:       make(map[endpoint]State),
		spent:        make(map[place]int),
		suspended:    newShelf(),
		fresh:        newFresh(),
		held:         make(map[endpoint]holding),
		heldOf:       make(map[place]int),
		heldFrom:     make(map[place]int),
		bans:         newTerms[banned](capacity[Black]),
		records:      newTerms[record](mostRecords),
		ours:         newTerms[struct{}](mostOurs),
	}
	h.rules.Store(newRules(s))
	for c := range h.free {
		h.free[c] = newShelf()
	}
	for c := range h.lists {
		h.lists[c] = newList(capacity[c])
	}
	for _, o := range options {
		o(h)
	}
	return h
}

// ColourOf returns the list that an address is on, Black for each one that a ban
// is on; false when it is on none.
func (h *Hosts) ColourOf(a addr.Addr) (Colour, bool) {
	key := endpointOf(a)
	h.mu.Lock()
	defer h.mu.Unlock()
	if e := h.listed[key]; e != nil {
		return e.colour, true
	}
	return Black, h.banned(key)
}

// Len returns how many addresses are on a list; of the black one, how many bans
// there are.
func (h *Hosts) Len(c Colour) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c == Black {
		h.bans.expire(h.now())
		return len(h.bans.byKey)
	}
	return len(h.lists[c].entries)
}

// List returns what is on a list, the last seen first; of the black one the
// address that each ban was for, and when.
func (h *Hosts) List(c Colour) []wire.Entry {
	h.mu.Lock()
	entries := h.entriesOn(c)
	h.mu.Unlock()
	newestFirst(entries)
	return entries
}

// entriesOn is List in any order, under mu.
func (h *Hosts) entriesOn(c Colour) []wire.Entry {
	now := h.unix()
	if c == Black {
		return h.black(now)
	}
	h.expireDark(now)
	entries := make([]wire.Entry, 0, len(h.lists[c].entries))
	for _, e := range h.lists[c].entries {
		entries = append(entries, e.told(now))
	}
	return entries
}
