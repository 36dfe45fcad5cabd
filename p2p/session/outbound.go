package session

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Outbound keeps connections to addresses that were discovered, one in each of
// its slots.
type Outbound struct {
	env       *Env
	connector connector
	search    *discovery
	tasks     sync.WaitGroup

	mu    sync.Mutex
	ctx   context.Context // of Run; nil before, ended after
	want  int
	slots []*outboundSlot
}

// NewOutbound makes the session with so many slots; Run connects. While a slot
// finds no address, peers and seeds are asked for some.
func NewOutbound(env *Env, slots int, seeds *SeedSync) *Outbound {
	return &Outbound{env: env, connector: connector{env}, search: newDiscovery(env, seeds), want: slots}
}

// Run fills the slots until ctx ends, and returns when the last connection has
// ended.
func (s *Outbound) Run(ctx context.Context) {
	s.mu.Lock()
	s.ctx = ctx
	s.resize()
	s.mu.Unlock()
	s.search.run(ctx)
	s.mu.Lock() // no slot is added from here on
	slots := s.slots
	s.mu.Unlock()
	for _, slot := range slots {
		slot.cancel()
	}
	s.tasks.Wait()
}

// SetSlots changes the number of slots. Of those that are too many the ones
// without a connection end first.
func (s *Outbound) SetSlots(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.want = n
	s.resize()
}

// Slots returns what each slot is doing.
func (s *Outbound) Slots() []Slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	slots := make([]Slot, 0, len(s.slots))
	for _, slot := range s.slots {
		slots = append(slots, slot.now())
	}
	return slots
}

// resize makes the slots as many as are wanted; under mu.
func (s *Outbound) resize() {
	if s.ctx == nil || s.ctx.Err() != nil {
		return
	}
	for len(s.slots) < s.want {
		slot := &outboundSlot{session: s, index: s.free(), view: Slot{State: SlotWaiting, Since: time.Now()}}
		slot.view.Number = slot.index
		slot.ctx, slot.cancel = context.WithCancel(s.ctx)
		s.slots = append(s.slots, slot)
		s.tasks.Go(slot.fill)
	}
	for len(s.slots) > s.want {
		i := len(s.slots) - 1
		if empty := slices.IndexFunc(s.slots, func(slot *outboundSlot) bool { return slot.now().State != SlotConnected }); empty >= 0 {
			i = empty
		}
		s.slots[i].end()
		s.slots = slices.Delete(s.slots, i, i+1)
	}
}

// free returns the lowest number that no slot has.
func (s *Outbound) free() int {
	for n := 0; ; n++ {
		if !slices.ContainsFunc(s.slots, func(slot *outboundSlot) bool { return slot.index == n }) {
			return n
		}
	}
}

func (s *Outbound) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.want
}
