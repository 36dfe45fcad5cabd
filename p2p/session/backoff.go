package session

import "time"

// backoff paces attempts: the pauses double from first to last.
type backoff struct {
	first, last time.Duration
	pause       time.Duration
	jitter      func(most time.Duration) time.Duration // a random time, 0 to most
}

// next returns the next pause, cut at random by up to half, so that nodes that
// lost each other at the same moment do not try in step.
func (b *backoff) next() time.Duration {
	pause := b.grow()
	return pause/2 + b.jitter(pause/2)
}

// grow is next without chance.
func (b *backoff) grow() time.Duration {
	b.pause = min(max(2*b.pause, b.first), b.last)
	return b.pause
}

func (b *backoff) reset() { b.pause = 0 }
