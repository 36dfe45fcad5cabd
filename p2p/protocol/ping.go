package protocol

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"dchat/p2p/channel"
	"dchat/p2p/wire"
)

// Reasons why the heartbeat ends a channel; neither is an offence.
var (
	ErrNoPong    = errors.New("the peer did not answer a ping in time")
	ErrWrongPong = errors.New("the peer answered a ping with another number")
)

// Ping returns the heartbeat: a ping at once and then an interval after each
// answer; a peer that does not answer within its patience, or answers another
// number, is left. timing says both for a channel. Every ping of the peer's is
// answered; a pong that nobody asked for is ignored.
func Ping(timing func(*channel.Channel) (interval, patience time.Duration)) Registration {
	return Registration{
		Name:     "ping",
		Sessions: channel.Default | channel.Seed,
		New: func(ch *channel.Channel, _ Node) (Protocol, error) {
			p := &ping{ch: ch}
			p.interval, p.patience = timing(ch)
			err := ch.Subscribe(channel.Subscription{Spec: wire.Ping{}.Spec(), Handle: channel.On(p.onPing)})
			if err != nil {
				return nil, err
			}
			return p, ch.Subscribe(channel.Subscription{Spec: wire.Pong{}.Spec(), Handle: channel.On(p.onPong)})
		},
	}
}

type ping struct {
	ch                 *channel.Channel
	interval, patience time.Duration

	mu    sync.Mutex
	asked bool
	nonce uint16
	timer *time.Timer // for the answer while asked, else for the next ping
}

// Start sends the first ping.
func (p *ping) Start() error {
	p.ch.OnEnd(p.stop)
	p.ch.Go(p.beat)
	return nil
}

// beat sends a ping and waits, without a goroutine, for its answer.
func (p *ping) beat(ctx context.Context) {
	p.mu.Lock()
	p.asked, p.nonce = true, uint16(rand.Uint32())
	p.timer = p.ch.AfterFunc(p.patience, func(context.Context) { p.ch.Close(ErrNoPong) })
	m := wire.Ping{Nonce: p.nonce}
	p.mu.Unlock()
	if err := p.ch.Send(ctx, &m); err != nil {
		p.ch.Close(err)
	}
}

func (p *ping) onPing(m *wire.Ping) error {
	return p.ch.Send(context.Background(), &wire.Pong{Nonce: m.Nonce})
}

func (p *ping) onPong(m *wire.Pong) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.asked {
		return nil
	}
	if m.Nonce != p.nonce {
		return ErrWrongPong
	}
	p.asked = false
	p.timer.Stop()
	p.timer = p.ch.AfterFunc(p.interval, p.beat)
	return nil
}

// stop leaves no timer behind.
func (p *ping) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
}
