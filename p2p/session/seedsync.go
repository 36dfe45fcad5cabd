package session

import (
	"context"
	"errors"
	"slices"
	"sync"

	"go.uber.org/zap"

	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/protocol"
)

// SeedSync asks seeds for addresses: a connection to each, for one question.
type SeedSync struct {
	env       *Env
	connector Connector
	tasks     sync.WaitGroup

	mu     sync.Mutex
	seeds  []addr.Addr
	asking map[addr.Addr]bool
	done   bool
}

// NewSeedSync makes the session; Ask connects.
func NewSeedSync(env *Env, seeds []addr.Addr) *SeedSync {
	return &SeedSync{env: env, connector: Connector{env}, seeds: seeds, asking: make(map[addr.Addr]bool)}
}

// Run waits until ctx has ended and with it every connection.
func (s *SeedSync) Run(ctx context.Context) {
	<-ctx.Done()
	s.mu.Lock()
	s.done = true
	s.mu.Unlock()
	s.tasks.Wait()
}

// SetSeeds changes whom Ask asks.
func (s *SeedSync) SetSeeds(seeds []addr.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seeds = slices.Clone(seeds)
}

func (s *SeedSync) has(a addr.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.seeds, a)
}

// Ask begins to ask all seeds at the same time, but for those that have not
// answered the question before, and returns. What they answer goes to the
// address book.
func (s *SeedSync) Ask(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seed := range s.seeds {
		if s.done || s.asking[seed] {
			continue
		}
		s.asking[seed] = true
		s.tasks.Go(func() { s.ask(ctx, seed) })
	}
}

func (s *SeedSync) ask(ctx context.Context, seed addr.Addr) {
	conn, err := s.connector.Dial(ctx, seed)
	if err != nil {
		s.ended(ctx, seed, err)
		return
	}
	s.env.serve(ctx, &s.tasks, link{
		conn:     conn.Conn,
		deadline: conn.deadline,
		kind:     channel.Seed,
		known:    seed,
		endpoint: seed,
		ended:    func(err error) { s.ended(ctx, seed, err) },
	})
}

// ended says what came of the question.
func (s *SeedSync) ended(ctx context.Context, seed addr.Addr, err error) {
	if !errors.Is(err, ErrSelf) { // which is not asked again
		s.mu.Lock()
		delete(s.asking, seed)
		s.mu.Unlock()
	}
	answer := (*protocol.SeedAnswer)(nil)
	switch {
	case errors.As(err, &answer):
		s.env.Log.Info("Asked a seed for addresses", zap.String("seed", seed.Redacted()), zap.Int("told", answer.Addresses))
	case ctx.Err() == nil:
		s.env.Log.Warn("A seed did not answer", zap.String("seed", seed.Redacted()), zap.Error(err))
	}
}
