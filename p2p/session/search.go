package session

import (
	"context"
	"time"

	"dchat/p2p/dnet"
)

// Discover looks for addresses once, for a node that has no outbound slots to do
// it: it connects to one that is known when nobody is connected, asks the peers,
// and the seeds when they tell nothing new within the discovery's attempt time. It
// returns how many new addresses were heard of; the error is that of ctx.
func (s *Direct) Discover(ctx context.Context) (heard int, err error) {
	select {
	case s.searching <- struct{}{}:
		defer func() { <-s.searching }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	before, _ := s.env.Hosts.News()
	defer s.tell(0, dnet.Sleeping)
	if len(s.env.Node.Channels()) == 0 {
		s.tell(1, dnet.NewChannel)
		defer s.borrow(ctx)()
	}
	attempt := 1
	if peers := s.env.Node.Channels(); len(peers) > 0 {
		s.tell(attempt, dnet.AskingPeers)
		s.env.askPeers(peers)
		heard, err = s.await(ctx, attempt, before)
		attempt++
	}
	if heard == 0 && err == nil {
		s.tell(attempt, dnet.AskingSeeds)
		s.seeds.Ask(ctx)
		heard, err = s.await(ctx, attempt, before)
	}
	return heard, err
}

// borrow connects to an address that is known, if one answers; the function it
// returns ends that.
func (s *Direct) borrow(ctx context.Context) (release func()) {
	a, _, ok := s.env.Hosts.Select(1)
	if !ok {
		return func() {}
	}
	s.env.Hosts.Release(a)
	_, release, err := s.Channel(ctx, a)
	if err != nil { // there are the seeds
		return func() {}
	}
	return release
}

// await waits until more is known than before, for the discovery's attempt time.
func (s *Direct) await(ctx context.Context, attempt int, before uint64) (heard int, err error) {
	s.tell(attempt, dnet.Waiting)
	timer := time.NewTimer(s.env.DiscoveryAttempt)
	defer timer.Stop()
	for {
		now, changed := s.env.Hosts.News()
		if now != before {
			return int(now - before), nil
		}
		select {
		case <-changed:
		case <-timer.C:
			return 0, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func (s *Direct) tell(attempt int, state string) {
	s.emit(dnet.Event{Name: dnet.DirectDiscovery, Attempt: attempt, State: state})
}
