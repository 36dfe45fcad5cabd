package chat

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"dchat/p2p/channel"
	"dchat/p2p/protocol"
)

const (
	// An echo is what one channel says within echoTime after its twin has said the
	// same. When a channel has ended, what it said is waited for a little longer
	// only: what its twin says after that is new.
	echoTime  = 10 * time.Second
	afterTime = time.Second
	// mostEchoes bounds how many echoes a channel may owe, and mostTwins how many
	// inbound twins of one dialled channel are listened to as such.
	mostEchoes = 2048
	mostTwins  = 8
)

// twins delivers once what one peer says on several channels, as stock nodes do.
//
// What a channel says is delivered, and every twin of it owes an echo from then
// on: the same text from there is dropped, once. So of the channels to one peer the one
// that says a text most often decides how often it is delivered. Which channels
// these are is what the peers say, and some lie; therefore no channel has
// power over another one, the dialled one included: what any of them says is
// delivered at least as often as it says it, if not by itself then by a twin that
// said the very same no more than echoTime before. A liar that knows what another
// is about to say can take no more than the place in the history. What is
// forgotten, for lack of room or in the end, is delivered twice rather than
// not at all.
type twins struct {
	history *History
	seed    maphash.Seed
	some    atomic.Bool // speakers is not empty

	mu       sync.Mutex
	speakers map[*channel.Channel]*speaker // the channels that have had a twin
}

// speaker is one channel of several to a peer.
type speaker struct {
	owes  map[uint64][]said // by the hash of the text, oldest first
	count int               // of what it owes
	swept time.Time         // when what is past was last looked for in all of it
	ended time.Time         // zero while it has not
}

// said is a text that a twin has said.
type said struct {
	by *speaker
	at time.Time
}

func (s said) past(now time.Time) bool {
	return now.Sub(s.at) >= echoTime || !s.by.ended.IsZero() && now.Sub(s.by.ended) >= afterTime
}

func newTwins(history *History) *twins {
	return &twins{history: history, seed: maphash.MakeSeed(), speakers: make(map[*channel.Channel]*speaker)}
}

// received records a text of a channel, unless it is an echo.
func (t *twins) received(node protocol.Node, ch *channel.Channel, text string) {
	others := node.Twins(ch)
	if len(others) == 0 && !t.some.Load() {
		t.history.received(ch.Addr(), text)
		return
	}
	if ch.Kind() == channel.Inbound && len(others) > 0 {
		others = slices.Concat(others, node.Twins(others[0]))
	}
	for _, fresh := range t.hear(ch, others[:min(len(others), mostTwins)], text) {
		fresh.OnEnd(func() { t.end(fresh) })
	}
}

// hear is received for a channel that has twins, or had. It records the text under
// the lock, lest one channel overtake the other. It returns those that are
// speakers from now on.
func (t *twins) hear(ch *channel.Channel, others []*channel.Channel, text string) (fresh []*channel.Channel) {
	hash, now := maphash.String(t.seed, text), time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	speaker := t.speakers[ch]
	if speaker != nil && speaker.echoes(hash, now) {
		return nil
	}
	t.history.received(ch.Addr(), text)
	if len(others) == 0 {
		return nil
	}
	if speaker == nil {
		speaker, fresh = t.add(ch), append(fresh, ch)
	}
	for _, other := range others {
		if other == ch {
			continue
		}
		twin := t.speakers[other]
		if twin == nil {
			twin, fresh = t.add(other), append(fresh, other)
		}
		twin.owe(hash, said{speaker, now})
	}
	return fresh
}

func (t *twins) add(ch *channel.Channel) *speaker {
	s := &speaker{owes: make(map[uint64][]said)}
	t.speakers[ch] = s
	t.some.Store(true)
	return s
}

func (t *twins) end(ch *channel.Channel) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.speakers[ch].ended = time.Now()
	delete(t.speakers, ch)
	t.some.Store(len(t.speakers) > 0)
}

// echoes tells whether a text is one that the speaker owes, which is settled then.
func (s *speaker) echoes(hash uint64, now time.Time) bool {
	s.expire(hash, now)
	waiting := s.owes[hash]
	if len(waiting) == 0 {
		return false
	}
	s.set(hash, waiting[1:])
	return true
}

func (s *speaker) owe(hash uint64, text said) {
	if s.count == mostEchoes && text.at.Sub(s.swept) >= afterTime {
		s.swept = text.at
		for hash := range s.owes {
			s.expire(hash, text.at)
		}
	}
	if s.count < mostEchoes {
		s.set(hash, append(s.owes[hash], text))
	}
}

// expire forgets what is past of one text.
func (s *speaker) expire(hash uint64, now time.Time) {
	waiting := s.owes[hash]
	for len(waiting) > 0 && waiting[0].past(now) {
		waiting = waiting[1:]
	}
	s.set(hash, waiting)
}

func (s *speaker) set(hash uint64, waiting []said) {
	s.count += len(waiting) - len(s.owes[hash])
	if len(waiting) == 0 {
		delete(s.owes, hash)
	} else {
		s.owes[hash] = waiting
	}
}
