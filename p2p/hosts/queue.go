package hosts

import (
	"container/heap"
	"time"
)

// queue is a heap by container/heap: the first of its items is the one that comes
// before all others. Each item knows where it is, so that any can be taken out.
type queue[T any] struct {
	items  []T
	before func(a, b T) bool
	index  func(T) *int
}

// Len implements heap.Interface.
func (q *queue[T]) Len() int { return len(q.items) }

// Less implements heap.Interface.
func (q *queue[T]) Less(i, j int) bool { return q.before(q.items[i], q.items[j]) }

// Swap implements heap.Interface.
func (q *queue[T]) Swap(i, j int) {
	q.items[i], q.items[j] = q.items[j], q.items[i]
	*q.index(q.items[i]), *q.index(q.items[j]) = i, j
}

// Push implements heap.Interface.
func (q *queue[T]) Push(item any) {
	t := item.(T)
	*q.index(t) = len(q.items)
	q.items = append(q.items, t)
}

// Pop implements heap.Interface.
func (q *queue[T]) Pop() any {
	last := len(q.items) - 1
	t := q.items[last]
	clear(q.items[last:])
	q.items = q.items[:last]
	return t
}

// first returns the item that comes before all others; false when there is none.
func (q *queue[T]) first() (t T, ok bool) {
	if len(q.items) == 0 {
		return t, false
	}
	return q.items[0], true
}

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
