package session

import (
	"math/rand/v2"
	"time"
)

// backoff paces attempts: the pauses double from first to last, and each is cut
// at random by up to half, so that nodes that lost each other at the same moment
// do not try in step.
type backoff struct {
	first, last time.Duration
	pause       time.Duration
}

func (b *backoff) next() time.Duration {
	b.pause = min(max(2*b.pause, b.first), b.last)
	return b.pause/2 + rand.N(b.pause/2+1)
}

func (b *backoff) reset() { b.pause = 0 }
