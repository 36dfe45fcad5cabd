package p2ptest

import (
	"container/heap"
	"sync"
	"time"
)

// schedule is what is going to happen in a network, and when: one thing at a
// time, each at an instant of its own, so that whatever it sets off in the nodes
// has come to rest, in virtual time, before the next happens.
type schedule struct {
	mu    *sync.Mutex // the network's; held while something happens
	began time.Time
	queue queue
	timer *time.Timer
	armed time.Duration // when the timer goes off
	last  time.Duration // when something happened last
}

// event is something that is going to happen. It is scheduled at most once at a
// time.
type event struct {
	happen func()
	at     time.Duration // since the network began
	order  uint64        // among events of one instant
	place  int           // in the queue, from 1; 0 is not in it
}

// now is the time since the network began.
func (s *schedule) now() time.Duration { return time.Since(s.began) }

// add schedules an event. It is called under the lock, as all below.
func (s *schedule) add(e *event, at time.Duration) {
	e.at = at
	heap.Push(&s.queue, e)
	s.arm()
}

// remove makes an event not happen.
func (s *schedule) remove(e *event) {
	if e.place > 0 {
		heap.Remove(&s.queue, e.place-1)
	}
}

// arm sets the timer to the next event.
func (s *schedule) arm() {
	if len(s.queue) == 0 {
		return
	}
	now := s.now()
	at := max(s.queue[0].at, s.last+1, now)
	switch {
	case s.timer == nil:
		s.timer = time.AfterFunc(at-now, s.tick)
	case s.armed == 0 || at < s.armed:
		s.timer.Reset(at - now)
	default:
		return
	}
	s.armed = at
}

func (s *schedule) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.armed == 0 || now < s.armed {
		return // the timer was set anew while it went off
	}
	s.armed = 0
	for now > s.last && len(s.queue) > 0 && s.queue[0].at <= now {
		s.last = now
		heap.Pop(&s.queue).(*event).happen()
		now = s.now() // in virtual time it is what it was
	}
	s.arm()
}

// queue is a heap of events.
type queue []*event

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	if q[i].at != q[j].at {
		return q[i].at < q[j].at
	}
	return q[i].order < q[j].order
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i+1, j+1
}

// Push is for package heap.
func (q *queue) Push(e any) {
	*q = append(*q, e.(*event))
	(*q)[len(*q)-1].place = len(*q)
}

// Pop is for package heap.
func (q *queue) Pop() any {
	end := len(*q) - 1
	e := (*q)[end]
	(*q)[end] = nil
	*q = (*q)[:end]
	e.place = 0
	return e
}

// mix makes a number of others that looks random and is always the same.
func mix(numbers ...uint64) uint64 {
	var z uint64
	for _, n := range numbers {
		z += n + 0x9e3779b97f4a7c15
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		z ^= z >> 31
	}
	return z
}

// mixText is mix of a text.
func mixText(text string) uint64 {
	z := uint64(len(text))
	for i := range len(text) {
		z = mix(z, uint64(text[i]))
	}
	return z
}
