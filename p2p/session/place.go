package session

import (
	"context"
	"sync"

	"dchat/p2p/channel"
)

// place is where a slot keeps its connection, so that the slot can be given up
// while it has one.
type place struct {
	ctx    context.Context // ends with the slot
	cancel context.CancelFunc

	mu sync.Mutex
	ch *channel.Channel
}

// end gives the slot up, with its connection.
func (p *place) end() {
	p.cancel()
	if ch := p.held(); ch != nil {
		ch.Close(channel.ErrStopped)
	}
}

// hold keeps the slot's channel, or nil for none. One that comes when the slot has
// ended is closed at once.
func (p *place) hold(ch *channel.Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ch = ch
	if ch != nil && p.ctx.Err() != nil {
		ch.Close(channel.ErrStopped)
	}
}

func (p *place) held() *channel.Channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ch
}
