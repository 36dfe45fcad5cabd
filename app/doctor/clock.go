package doctor

import (
	"fmt"
	"slices"
	"time"
)

// mostSkew is how far a clock may be off those of the others before it is worth a
// word.
const mostSkew = 10 * time.Minute

// clock compares this machine's clock with those of all nodes that have told theirs.
// Any one of them may be wrong, or lie: the one in the middle counts.
func (e *examination) clock() {
	var offsets []time.Duration // of the others' clocks
	for _, ch := range e.channels {
		offsets = append(offsets, offset(ch.Remote().Timestamp, ch.Created()))
	}
	for _, f := range slices.Concat(e.seeds, e.peers) {
		if f.version != nil {
			offsets = append(offsets, offset(f.version.Timestamp, f.heard))
		}
	}
	if len(offsets) == 0 {
		e.add(Check{Stage: StageClock, Status: Skip, Detail: "nobody answered to compare it with"})
		return
	}
	middle := median(offsets)
	compared := fmt.Sprintf("compared with %s", count(len(offsets), "other node"))
	side := "behind"
	if middle < 0 {
		side, middle = "ahead", -middle
	}
	switch {
	case middle <= 2*time.Second: // a second is lost in rounding, and one on the way
		e.add(Check{Stage: StageClock, Status: OK, Detail: "right, " + compared})
	case middle <= mostSkew:
		e.add(Check{Stage: StageClock, Status: OK, Detail: fmt.Sprintf("%v %s, %s", middle.Round(time.Second), side, compared)})
	default:
		e.add(Check{Stage: StageClock, Status: Warn, Detail: fmt.Sprintf("%v %s, %s", middle.Round(time.Second), side, compared),
			Advice: "Set the clock of this machine, or let it be set over the network: a wrong one makes good addresses look old or not yet born."})
	}
}

// median is the one in the middle; of two in the middle the one that finds less fault
// with our clock.
func median(offsets []time.Duration) time.Duration {
	slices.Sort(offsets)
	low, high := offsets[(len(offsets)-1)/2], offsets[len(offsets)/2]
	if low.Abs() < high.Abs() {
		return low
	}
	return high
}

// offset is how far a clock that showed so many Unix seconds at a time was ahead of
// ours. What cannot be a time counts as a century off.
func offset(unix uint64, at time.Time) time.Duration {
	const century = 100 * 365 * 24 * 60 * 60
	seconds := int64(min(unix, 1<<40)) - at.Unix()
	return time.Duration(min(max(seconds, -century), century)) * time.Second
}
