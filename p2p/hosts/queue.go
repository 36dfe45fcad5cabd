package hosts

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
