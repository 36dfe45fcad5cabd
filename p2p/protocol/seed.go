package protocol

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dchat/p2p/channel"
	"dchat/p2p/wire"
)

// ErrNoAddresses says that a seed did not answer the question for addresses.
var ErrNoAddresses = errors.New("the seed sent no addresses in time")

// SeedAnswer ends the channel to a seed that has answered; it is no failure.
type SeedAnswer struct {
	Addresses int // that it told
}

// Error says how many addresses the seed told.
func (e *SeedAnswer) Error() string { return fmt.Sprintf("the seed told %d addresses", e.Addresses) }

// Seed returns the question to a seed: tell our own addresses, ask for others,
// take the first answer and leave. A seed that does not answer within its
// patience is left too. An answer that came before the question counts.
func Seed(cfg AddressConfig, patience func(*channel.Channel) time.Duration) Registration {
	return Registration{
		Name:     "seed",
		Sessions: channel.Seed,
		New: func(ch *channel.Channel, _ Node) (Protocol, error) {
			s := &seed{address: address{ch: ch, cfg: cfg}, patience: patience(ch)}
			// A seed may ask like any peer, and need not be answered.
			err := ch.Subscribe(channel.Subscription{Spec: wire.GetAddr{}.Spec(), Handle: channel.On(func(*wire.GetAddr) error { return nil })})
			if err != nil {
				return nil, err
			}
			return s, ch.Subscribe(channel.Subscription{Spec: wire.Addrs{}.Spec(), Handle: channel.On(s.onAddrs)})
		},
	}
}

type seed struct {
	address
	patience time.Duration
}

// Start asks. Nothing has been sent yet, so metering makes nothing wait.
func (s *seed) Start() error {
	s.cfg.Book.Asked(s.ch.Addr())
	timer := s.ch.AfterFunc(s.patience, func(context.Context) { s.ch.Close(ErrNoAddresses) })
	s.ch.OnEnd(func() { timer.Stop() })
	if own := s.cfg.Own(); len(own.Entries) > 0 {
		s.send(context.Background(), own)
	}
	s.send(context.Background(), s.cfg.Question())
	return nil
}

func (s *seed) onAddrs(m *wire.Addrs) error {
	s.cfg.Book.Heard(s.ch.Addr(), s.cfg.taken(m.Entries))
	return &SeedAnswer{Addresses: len(m.Entries)}
}
