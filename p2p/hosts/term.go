package hosts

import (
	"container/heap"
	"time"
)

// terms holds a bounded number of things, each until its time is over. When there
// are too many, those whose time is over first go.
type terms[V any] struct {
	max   int
	byKey map[endpoint]*term[V]
	queue queue[*term[V]]
}

type term[V any] struct {
	key   endpoint
	value V
	until time.Time
	index int
}

func newTerms[V any](most int) terms[V] {
	return terms[V]{
		max:   most,
		byKey: make(map[endpoint]*term[V]),
		queue: queue[*term[V]]{
			before: func(a, b *term[V]) bool { return a.until.Before(b.until) },
			index:  func(t *term[V]) *int { return &t.index },
		},
	}
}

// get returns what there is for a key at a time, or nil.
func (t *terms[V]) get(key endpoint, now time.Time) *V {
	if item := t.byKey[key]; item != nil && now.Before(item.until) {
		return &item.value
	}
	return nil
}

func (t *terms[V]) put(key endpoint, value V, until time.Time) {
	t.drop(key)
	item := &term[V]{key: key, value: value, until: until}
	t.byKey[key] = item
	heap.Push(&t.queue, item)
	if len(t.byKey) > t.max {
		t.drop(t.queue.items[0].key)
	}
}

func (t *terms[V]) drop(key endpoint) {
	if item := t.byKey[key]; item != nil {
		heap.Remove(&t.queue, item.index)
		delete(t.byKey, key)
	}
}

// expire drops what is over.
func (t *terms[V]) expire(now time.Time) {
	for {
		item, ok := t.queue.first()
		if !ok || now.Before(item.until) {
			return
		}
		t.drop(item.key)
	}
}
