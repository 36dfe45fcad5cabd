package hosts

import "time"

const (
	// goodTime is how long a connection lasts at least that ended for no fault.
	goodTime = 10 * time.Second
	// After a good one the address is left alone for a moment, so that two nodes
	// do not reconnect in step.
	shortestMoment, longestMoment = 200 * time.Millisecond, time.Second
	// After a failure it is for a pause that doubles with each further one.
	firstPause, longestPause = time.Second, time.Minute
)

func (h *Hosts) moment() time.Duration {
	return shortestMoment + h.upTo(longestMoment-shortestMoment)
}

// pause is cut at random by up to a quarter.
func (h *Hosts) pause(failures int) time.Duration {
	most := min(firstPause<<min(max(failures-1, 0), 6), longestPause)
	return most - h.upTo(most/4)
}

func (h *Hosts) upTo(d time.Duration) time.Duration { return time.Duration(h.random.Int64N(int64(d))) }

// fail notes one more failure of an entry.
func (h *Hosts) fail(e *entry) {
	h.unshelve(e)
	e.failures++
	e.heard = 0
	e.due = h.now().Add(h.pause(e.failures))
}
