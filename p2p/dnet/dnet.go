// Package dnet carries what a node does to whoever watches it: which messages
// go over which channel, who connects and who leaves.
//
// A Bus costs one atomic load per event while nobody watches. A watcher that is
// too slow loses events, and is told how many; it never slows the node.
package dnet

import (
	"sync"
	"sync/atomic"
	"time"

	"dchat/p2p/addr"
)

// The names of the events, and which fields of Event each one sets.
const (
	Send                = "send"                 // Addr, Channel, Command, Time
	Recv                = "recv"                 // Addr, Channel, Command, Time
	InboundConnected    = "inbound_connected"    // Addr, Channel
	InboundDisconnected = "inbound_disconnected" // Addr, Channel

	SlotSleeping      = "outbound_slot_sleeping"     // Slot
	SlotConnecting    = "outbound_slot_connecting"   // Slot, Addr
	SlotConnected     = "outbound_slot_connected"    // Slot, Addr, Channel
	SlotDisconnected  = "outbound_slot_disconnected" // Slot, Err
	OutboundDiscovery = "outbound_peer_discovery"    // Attempt, State: wait, getaddr or seed

	DirectConnecting   = "direct_connecting"     // Addr
	DirectConnected    = "direct_connected"      // Addr, Channel
	DirectDisconnected = "direct_disconnected"   // Addr, Err
	DirectDiscovery    = "direct_peer_discovery" // Attempt, State: wait, newchan, getaddr, seed or sleep
)

// The states in which a search for peers can be.
const (
	Waiting     = "wait"    // until it is needed, or for the next attempt
	NewChannel  = "newchan" // connecting to somebody who can be asked
	AskingPeers = "getaddr"
	AskingSeeds = "seed"
	Sleeping    = "sleep" // nobody is looking for peers
)

// Event is one thing that happened. Name says which fields are set.
type Event struct {
	Name    string
	Addr    addr.Addr
	Channel uint32
	Command string
	Time    time.Time
	Slot    int    // of the outbound session, from 0
	Err     string // why it came to nothing
	Attempt int    // of a search for peers, from 1; 0 before the first
	State   string
}

// queue is how many events may wait for one watcher.
const queue = 1024

// Bus hands events to its watchers. The zero value is ready, switched off. It
// is safe for concurrent use.
type Bus struct {
	live atomic.Bool // on, and somebody watches

	mu       sync.Mutex
	on       bool
	watchers map[*Watcher]struct{}
}

// Switch turns the events on or off for all watchers. They begin switched off.
func (b *Bus) Switch(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.on = on
	b.live.Store(on && len(b.watchers) > 0)
}

// Enabled reports whether anybody would see an event. Ask before building one.
func (b *Bus) Enabled() bool { return b.live.Load() }

// Emit hands the event to every watcher that has room for it. It never blocks.
func (b *Bus) Emit(e Event) {
	if !b.Enabled() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.on {
		return
	}
	for w := range b.watchers {
		select {
		case w.events <- e:
		default:
			w.lost.Add(1)
		}
	}
}

// Watch begins to collect events, at most 1,024 at a time. End it with Close.
func (b *Bus) Watch() *Watcher {
	w := &Watcher{bus: b, events: make(chan Event, queue)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.watchers == nil {
		b.watchers = make(map[*Watcher]struct{})
	}
	b.watchers[w] = struct{}{}
	b.live.Store(b.on)
	return w
}

// Watcher receives the events of one Bus.
type Watcher struct {
	bus    *Bus
	events chan Event
	lost   atomic.Uint64
}

// Events returns the channel on which events arrive; it is never closed.
func (w *Watcher) Events() <-chan Event { return w.events }

// Lost returns how many events this watcher was too slow for.
func (w *Watcher) Lost() uint64 { return w.lost.Load() }

// Close ends the watching. It is safe to call twice.
func (w *Watcher) Close() {
	w.bus.mu.Lock()
	defer w.bus.mu.Unlock()
	delete(w.bus.watchers, w)
	w.bus.live.Store(w.bus.on && len(w.bus.watchers) > 0)
}
