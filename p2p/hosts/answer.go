package hosts

import (
	"slices"

	"dchat/p2p/wire"
)

// mostAsked is the most addresses of each list that are told at a time.
const mostAsked = 255

// Known returns what to tell a peer that asks for so many addresses of some
// schemes: up to most random gold ones of these schemes, then as many white ones,
// then up to 2·most in all gold, white and dark ones of others. No grey one is ever told, nor
// one of a scheme that is not Shareable; of the places that such addresses took none is
// filled again. most counts as 255 at most.
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
