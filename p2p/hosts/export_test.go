package hosts

// Tellers is how many peers' accounts are kept.
func (h *Hosts) Tellers() int { return len(h.spent) }

// Traces is how many things are kept of the addresses on the lists, beside
// themselves.
func (h *Hosts) Traces() int {
	n := len(h.listed) + len(h.crowds) + len(h.states)
	for _, l := range h.lists {
		n += len(l.origins) + l.largest
	}
	return n
}
