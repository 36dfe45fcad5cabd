package chat

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"dchat/p2p/addr"
)

// Direction says who wrote an entry of the history.
type Direction int

// The directions.
const (
	Received Direction = iota // a peer
	Sent                      // this node
)

// String returns "in" for what was received and "out" for what was sent.
func (d Direction) String() string {
	if d == Sent {
		return "out"
	}
	return "in"
}

// Entry is one text of the history.
type Entry struct {
	Seq       uint64 // 1 for the first text of this run, then one more each
	Time      time.Time
	Direction Direction
	Addr      addr.Addr // of the channel it came from; none for what was sent
	Text      string
}

// entryOverhead is what an entry costs beside its text, roughly, in bytes.
const entryOverhead = 128

func (e Entry) size() int { return len(e.Text) + entryOverhead }

// History keeps the texts of this run, in the order in which they came or went,
// within a number and a size; the oldest go first. It is safe for concurrent use.
type History struct {
	settings Settings
	run      string
	tooLong  atomic.Uint64

	mu      sync.Mutex
	entries []Entry // the last ones, by ascending Seq
	bytes   int
	last    uint64        // the Seq of the newest entry
	changed chan struct{} // closed when there is a new entry; nil: nobody waits
}

// NewHistory makes an empty history. The error is that of settings.Validate.
func NewHistory(settings Settings) (*History, error) {
	if err := settings.Validate(); err != nil {
		return nil, fmt.Errorf("chat settings: %w", err)
	}
	return &History{settings: settings, run: rand.Text()}, nil
}

// received records a text of a peer.
func (h *History) received(from addr.Addr, text string) {
	if len(text) > MaxReceive {
		h.tooLong.Add(1) // no offence: the protocol sets no limit
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.add(Received, from, text)
}

// sent records a text if send, which must not wait, finds a peer for it. It runs
// under the lock, so that no answer to the text can come before it.
func (h *History) sent(text string, send func() (peers int, err error)) (Receipt, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	peers, err := send()
	if err != nil {
		return Receipt{}, err
	}
	if peers == 0 {
		return Receipt{}, ErrNoPeers
	}
	return Receipt{Seq: h.add(Sent, addr.Addr{}, text), Peers: peers}, nil
}

func (h *History) add(d Direction, from addr.Addr, text string) uint64 {
	h.last++
	e := Entry{Seq: h.last, Time: time.Now(), Direction: d, Addr: from, Text: text}
	h.entries = append(h.entries, e)
	h.bytes += e.size()
	for len(h.entries) > h.settings.HistoryMessages || h.bytes > h.settings.HistoryBytes {
		h.bytes -= h.entries[0].size()
		h.entries[0] = Entry{} // let go of the text
		h.entries = h.entries[1:]
	}
	if h.changed != nil {
		close(h.changed)
		h.changed = nil
	}
	return e.Seq
}

// After returns the entries with a higher Seq than after, oldest first, at most
// limit of them (all for 0 or less), and how many such entries there have been
// before the first of them that are no longer kept.
func (h *History) After(after uint64, limit int) (entries []Entry, dropped uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.after(after, limit)
}

func (h *History) after(after uint64, limit int) (entries []Entry, dropped uint64) {
	if after >= h.last {
		return nil, 0
	}
	gone := h.last - uint64(len(h.entries)) // the Seq of the newest entry that is not kept
	if after < gone {
		dropped, after = gone-after, gone
	}
	kept := h.entries[after-gone:]
	if limit > 0 && len(kept) > limit {
		kept = kept[:limit]
	}
	return append(entries, kept...), dropped
}

// Run names this history and no other: a node that is started anew has one in which
// Seq begins at 1 again. It is made of 26 letters and digits.
func (h *History) Run() string { return h.run }

// Newest returns the Seq of the newest entry, or 0 when there has been none. The
// newest is always kept.
func (h *History) Newest() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

// Dropped returns how many entries of this run are no longer kept.
func (h *History) Dropped() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last - uint64(len(h.entries))
}

// TooLong returns how many texts of peers were refused for their length.
func (h *History) TooLong() uint64 { return h.tooLong.Load() }

// Subscribe returns a reader of the entries from now on.
func (h *History) Subscribe() *Subscription {
	h.mu.Lock()
	defer h.mu.Unlock()
	return &Subscription{history: h, seen: h.last}
}

// SubscribeAfter returns a reader of the entries with a higher Seq than after.
func (h *History) SubscribeAfter(after uint64) *Subscription {
	return &Subscription{history: h, seen: after}
}

// Subscription reads a history as it grows. It holds nothing but its place, so
// it may be forgotten at any time, and a slow one costs nothing; it misses what
// the history drops before it is read. It is for one goroutine.
type Subscription struct {
	history *History
	seen    uint64
}

// Next waits for the next entry, and returns it with the number of entries
// before it that were missed. The error is that of ctx.
func (s *Subscription) Next(ctx context.Context) (e Entry, missed uint64, err error) {
	h := s.history
	for {
		h.mu.Lock()
		entries, missed := h.after(s.seen, 1)
		if len(entries) > 0 {
			h.mu.Unlock()
			s.seen = entries[0].Seq
			return entries[0], missed, nil
		}
		if h.changed == nil {
			h.changed = make(chan struct{})
		}
		changed := h.changed
		h.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return Entry{}, 0, ctx.Err()
		}
	}
}
