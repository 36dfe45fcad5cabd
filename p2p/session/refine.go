package session

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/hosts"
)

// Refine tries addresses that were only heard of: one that completes a handshake
// goes on the white list, one that does not is forgotten, sooner or later.
//
// It tries as many at a time as it has workers, those that were never tried
// first. A node that knows few addresses that answer tries one a second, one that
// knows enough a few in each interval, and a seed node whatever it hears of at
// once.
type Refine struct {
	env       *Env
	connector connector
	workers   chan struct{}
	tasks     sync.WaitGroup
}

const (
	refineWorkers = 4
	seedWorkers   = 32 // of a seed node, to which a whole network may come at once
	// enough is how many addresses that answer make a node calm.
	enough = 32
	// refineTime bounds the handshake.
	refineTime = 5 * time.Second
	// The pauses of a node that knows few addresses, and of a seed node.
	hungryPause = time.Second
	seedPause   = 10 * time.Millisecond
	// What has answered a seed node is tried again when it is as old as recheckAge,
	// one in each recheckPause.
	recheckAge   = time.Minute
	recheckPause = 2 * time.Minute
)

// NewRefine makes the session; Run tries addresses.
func NewRefine(env *Env) *Refine {
	workers := refineWorkers
	if env.SeedNode {
		workers = seedWorkers
	}
	return &Refine{env: env, connector: connector{env}, workers: make(chan struct{}, workers)}
}

// errRefined ends a connection whose handshake is done: that was all.
var errRefined = errors.New("the address answers")

// Run tries addresses until ctx ends, and returns when the last connection has
// ended.
func (s *Refine) Run(ctx context.Context) {
	defer s.tasks.Wait()
	if s.env.SeedNode {
		s.tasks.Go(func() { s.recheck(ctx) })
	}
	pause := s.env.RefineryInterval
	if s.env.SeedNode {
		pause = 0
	}
	for sleep(ctx, pause) {
		if !s.env.SeedNode && s.env.Alone() >= s.env.TimeWithNoConnections {
			pause = s.env.TimeWithNoConnections
			s.env.Hosts.Resume()
			s.round(ctx, 1)
			continue
		}
		switch known := s.env.Hosts.Len(hosts.White) + s.env.Hosts.Len(hosts.Gold); {
		case s.env.SeedNode:
			pause = seedPause
			s.round(ctx, 1)
		case known < enough:
			pause = hungryPause
			s.round(ctx, 1)
		default:
			pause = s.env.RefineryInterval
			s.round(ctx, refineWorkers)
		}
	}
}

// round tries up to n addresses. It waits for the first; when there is none that
// can take as long as it likes.
func (s *Refine) round(ctx context.Context, n int) {
	for i := range n {
		_, changed := s.env.Hosts.News()
		a, retry, ok := s.env.Hosts.SelectRefine()
		if !ok && i > 0 {
			return
		}
		if !ok {
			s.wait(ctx, changed, retry)
			return
		}
		select {
		case s.workers <- struct{}{}:
			s.tasks.Go(func() { s.try(ctx, a) })
		case <-ctx.Done():
			s.env.Hosts.Release(a)
			return
		}
	}
}

// wait returns when there may be an address to try.
func (s *Refine) wait(ctx context.Context, changed <-chan struct{}, retry time.Duration) {
	timer := time.NewTimer(s.env.TimeWithNoConnections)
	if retry > 0 {
		timer.Reset(min(retry, s.env.TimeWithNoConnections))
	}
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// recheck tries again what has answered long ago.
func (s *Refine) recheck(ctx context.Context) {
	for sleep(ctx, recheckPause) {
		if a, ok := s.env.Hosts.SelectRecheck(recheckAge); ok {
			s.workers <- struct{}{}
			s.try(ctx, a)
		}
	}
}

// try connects to an address for a handshake.
func (s *Refine) try(ctx context.Context, a addr.Addr) {
	conn, err := s.connector.dialLearnt(ctx, a)
	if err != nil {
		s.tried(ctx, a, err)
		return
	}
	s.env.serve(ctx, &s.tasks, link{
		conn:     conn.Conn,
		deadline: earlier(conn.deadline, time.Now().Add(refineTime)),
		kind:     channel.Refine,
		known:    a,
		endpoint: conn.endpoint,
		opened:   func() error { return errRefined },
		ended:    func(err error) { s.tried(ctx, a, err) },
	})
}

// tried says what was found out.
func (s *Refine) tried(ctx context.Context, a addr.Addr, err error) {
	<-s.workers
	book := s.env.Hosts
	switch {
	case errors.Is(err, errRefined), errors.Is(err, errConnected):
		book.Answered(a)
		s.env.Log.Debug("Address answers", zap.String("addr", a.Redacted()))
		return
	case ctx.Err() != nil, localFault(err):
		book.Release(a)
	case s.env.Alone() >= s.env.TimeWithNoConnections:
		book.Failed(a) // the fault may be ours, so it is kept
	default:
		book.Silent(a)
	}
	s.env.Log.Debug("Address does not answer", zap.String("addr", a.Redacted()), zap.Error(err))
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
