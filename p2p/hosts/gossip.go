package hosts

import (
	"cmp"
	"slices"

	"go.uber.org/zap"

	"dchat/p2p/addr"
	"dchat/p2p/wire"
)

const (
	// mostTold is how many new addresses a peer may tell between two questions.
	mostTold = 100
	// mostTellers is how many peers' accounts are kept. When there are more all
	// are forgotten: what one part of the network can tell is limited by the
	// lists too.
	mostTellers = 4096
)

// Heard takes the addresses that a peer told. Those that are fit for a list, on
// none and not in use go on the grey list, or on the dark one when they cannot
// be dialled: 100 of one peer at most until it is Asked again. An address that is
// on a list already stays as it is.
func (h *Hosts) Heard(from addr.Addr, entries []wire.Entry) {
	by := h.tellerOf(from)
	near := tellerReach(from)
	r, kept := h.rules.Load(), 0
	for _, e := range entries {
		key := endpointOf(e.Addr)
		c, ok := r.judge(e.Addr, key, near)
		if !ok {
			continue
		}
		taken, more := h.hear(by, r, key, c, e)
		if taken {
			kept++
		}
		if !more {
			break
		}
	}
	h.log.Debug("Heard of addresses", zap.String("peer", from.Redacted()), zap.Int("told", len(entries)), zap.Int("new", kept))
}

// teller is a peer that tells addresses.
type teller struct {
	account place // what counts as one peer: the port of one that connects to us is always new
	group   place // what counts as one origin of addresses
}

func (h *Hosts) tellerOf(peer addr.Addr) teller {
	key := endpointOf(peer)
	if h.localnet {
		return teller{account: key.alone(), group: key.alone()}
	}
	return teller{account: key.within(32, 64), group: key.group()}
}

// hear takes one address that passed the rules; more is false when no further
// one of this peer will be taken.
func (h *Hosts) hear(by teller, r *rules, key endpoint, c Colour, told wire.Entry) (taken, more bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r != h.rules.Load() { // Configure came between
		return false, false
	}
	now := h.unix()
	seen, ok := plausible(told.LastSeen, now)
	if !ok || c == Dark && now-seen > darkAge || h.listed[key] != nil || h.states[key] != Free || h.barred(key) {
		return false, true
	}
	if !h.spend(by.account) {
		return false, false
	}
	taken = h.insert(&entry{addr: told.Addr, key: key, seen: seen, heard: int64(h.heard) + 1, arrived: h.now()}, c, by.group)
	if taken && c == Grey {
		h.heard++
	}
	return taken, true
}

// spend takes one address off what a peer may tell.
func (h *Hosts) spend(account place) bool {
	n, known := h.spent[account]
	if n >= mostTold {
		return false
	}
	if !known && len(h.spent) >= mostTellers {
		clear(h.spent)
	}
	h.spent[account] = n + 1
	return true
}

// Asked says that a peer is being asked for addresses, so that it may tell some
// again.
func (h *Hosts) Asked(peer addr.Addr) {
	account := h.tellerOf(peer).account
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.spent, account)
}

// Ages of addresses, in seconds.
const (
	day        = 24 * 60 * 60
	darkAge    = day      // a dark address is passed on for that long
	oldestTold = 30 * day // what nobody has seen for longer is not worth a try
	farAhead   = 10 * 60  // clocks differ by less
	doubtful   = 5 * day  // the age of what is said to have been seen in the future
)

// plausible returns the time that is believed of one that was told: none in the
// future, and not ok when it is too long ago.
func plausible(told, now uint64) (seen uint64, ok bool) {
	seen = notAhead(told, now)
	return seen, now-seen <= oldestTold
}

func notAhead(told, now uint64) uint64 {
	if told > now && told-now > farAhead {
		return now - min(now, doubtful)
	}
	return min(told, now)
}

// unix is the time in seconds since 1970, and never less than 0.
func (h *Hosts) unix() uint64 { return uint64(max(h.now().Unix(), 0)) }

// told is the entry as peers and the file get it. The clock may have been set
// back since it was seen.
func (e *entry) told(now uint64) wire.Entry {
	return wire.Entry{Addr: e.addr, LastSeen: min(e.seen, now)}
}

func newestFirst(entries []wire.Entry) {
	slices.SortFunc(entries, func(a, b wire.Entry) int {
		return cmp.Or(cmp.Compare(b.LastSeen, a.LastSeen), cmp.Compare(a.Addr.String(), b.Addr.String()))
	})
}

// mostAsked bounds how many addresses a peer can ask for; it is told twice as many at most.
const mostAsked = 255

// Known returns what to tell a peer that asks for so many addresses of some
// schemes: up to most random gold ones of these schemes, then as many white ones,
// then gold, white and dark ones of other schemes, up to 2·most in all. No grey one is
// ever told. One of a scheme that is not Shareable is left out, and no other takes its
// place. most counts as 255 at most.
func (h *Hosts) Known(most int, schemes []string) []wire.Entry {
	most = min(most, mostAsked)
	wanted := func(e *entry) bool { return Shareable(e.key.scheme) && slices.Contains(schemes, e.key.scheme) }
	other := func(e *entry) bool { return !wanted(e) }

	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.unix()
	h.expireDark(now)
	var picked []*entry
	pick := func(c Colour, which func(*entry) bool, room int) {
		for e := range h.lists[c].shuffled(h.random) {
			if room <= 0 {
				return
			}
			if which(e) {
				picked = append(picked, e)
				room--
			}
		}
	}
	pick(Gold, wanted, most)
	pick(White, wanted, most)
	pick(Gold, other, 2*most-len(picked))
	pick(White, other, 2*most-len(picked))
	pick(Dark, func(*entry) bool { return true }, 2*most-len(picked))

	var told []wire.Entry
	for _, e := range picked {
		if Shareable(e.key.scheme) {
			told = append(told, e.told(now))
		}
	}
	return told
}

// shareable are the schemes of the addresses that nodes tell each other.
var shareable = []string{
	addr.Tor, "tls", addr.TCP, addr.Nym, addr.I2P, addr.TorTLS, addr.NymTLS, addr.TCPTLS, addr.I2PTLS,
}

// Shareable tells whether addresses of a scheme are told to other nodes.
func Shareable(scheme string) bool { return slices.Contains(shareable, scheme) }
