package jsonrpc

import "sync"

// readAhead is how many bytes of requests a connection may have waiting behind the one that is run.
// A single longer request may wait too. Reading ahead is what shows that a client has gone while
// its request is still run.
const readAhead = 1 << 20

// itemSize is what a request takes in memory beside its line.
const itemSize = 256

// queued is one line that was read: a request, or what was wrong with it.
type queued struct {
	req     request
	size    int
	refusal *Error
	done    chan struct{} // closed when it has been run; nil: nobody waits
}

// isLast tells whether nothing that comes behind it is run.
func (q queued) isLast() bool { return q.refusal != nil }

// queue holds the requests of one connection in their order, bounded in bytes.
type queue struct {
	mu      sync.Mutex
	changed sync.Cond // the state below; its lock is mu
	items   []queued
	bytes   int
	closed  bool
}

func newQueue() *queue {
	q := &queue{}
	q.changed.L = &q.mu
	return q
}

// put waits for room. It reports false when the queue was closed: the item was not taken.
func (q *queue) put(item queued) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed && len(q.items) > 0 && q.bytes+item.size > readAhead {
		q.changed.Wait()
	}
	if q.closed {
		return false
	}
	q.items = append(q.items, item)
	q.bytes += item.size
	q.changed.Broadcast()
	return true
}

// take waits for an item. It reports false when the queue was closed and is empty.
func (q *queue) take() (queued, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed && len(q.items) == 0 {
		q.changed.Wait()
	}
	if len(q.items) == 0 {
		return queued{}, false
	}
	item := q.items[0]
	q.items[0] = queued{} // so that the line's memory goes when the item does
	q.items = q.items[1:]
	q.bytes -= item.size
	q.changed.Broadcast()
	return item, true
}

// close lets no more in; what is inside can still be taken.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}
