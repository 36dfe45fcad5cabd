package hosts

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

// tell is called under mu.
func (h *Hosts) tell() {
	if h.changed != nil {
		close(h.changed)
		h.changed = nil
	}
}
