package channel

// ring is a queue of encoded frames that reuses its memory. Frames that follow
// one another in their block take one place.
type ring struct {
	spans []span // of a length that is a power of two, or none
	head  int
	n     int
}

// keepRing is how many places an empty ring keeps.
const keepRing = 64

func (r *ring) push(s span) {
	if r.n > 0 {
		last := &r.spans[(r.head+r.n-1)&(len(r.spans)-1)]
		if last.block == s.block && last.end == s.start {
			last.end = s.end
			last.frames += s.frames
			return
		}
	}
	if r.n == len(r.spans) {
		grown := make([]span, max(1, 2*r.n))
		for i := range r.n {
			grown[i] = r.spans[(r.head+i)&(r.n-1)]
		}
		r.spans, r.head = grown, 0
	}
	r.spans[(r.head+r.n)&(len(r.spans)-1)] = s
	r.n++
}

// pop returns the oldest place; ok is false when there is none.
func (r *ring) pop() (s span, ok bool) {
	if r.n == 0 {
		return span{}, false
	}
	s = r.spans[r.head]
	r.spans[r.head] = span{}
	r.head = (r.head + 1) & (len(r.spans) - 1)
	if r.n--; r.n == 0 && len(r.spans) > keepRing {
		r.spans = nil
	}
	return s, true
}

// continues tells whether the oldest place follows another in its block.
func (r *ring) continues(s span) bool {
	return r.n > 0 && s.block == r.spans[r.head].block && s.end == r.spans[r.head].start
}
