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
	connector connector
	tasks     sync.WaitGroup

	mu     sync.Mutex
	seeds  []addr.Addr
	asking map[addr.Addr]bool
	faults map[addr.Addr]string // why the last question came to nothing
	done   bool
}

// NewSeedSync makes the session; Ask connects.
func NewSeedSync(env *Env, seeds []addr.Addr) *SeedSync {
	return &SeedSync{env: env, connector: connector{env}, seeds: seeds, asking: make(map[addr.Addr]bool), faults: make(map[addr.Addr]string)}
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
	clear(s.faults)
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
	conn, err := s.connector.dial(ctx, seed)
	if err != nil {
		s.ended(ctx, seed, err)
		return
	}
	s.env.serve(ctx, &s.tasks, link{
		conn:     conn.Conn,
		deadline: conn.deadline,
		kind:     channel.Seed,
		known:    seed,
		endpoint: conn.endpoint,
		ended:    func(err error) { s.ended(ctx, seed, err) },
	})
}

// ended says what came of the question; the same fault is a warning only once.
func (s *SeedSync) ended(ctx context.Context, seed addr.Addr, err error) {
	fault, answer := "", (*protocol.SeedAnswer)(nil)
	if !errors.As(err, &answer) {
		fault = err.Error()
	}
	s.mu.Lock()
	if !errors.Is(err, ErrSelf) { // which is not asked again
		delete(s.asking, seed)
	}
	again := s.faults[seed] == fault
	s.faults[seed] = fault
	s.mu.Unlock()
	switch name := zap.String("seed", seed.Redacted()); {
	case answer != nil:
		s.env.Log.Info("Asked a seed for addresses", name, zap.Int("told", answer.Addresses))
	case ctx.Err() != nil:
	case again:
		s.env.Log.Debug("Asking a seed still fails", name, zap.Error(err))
	default:
		s.env.Log.Warn("Asking a seed failed; it is asked again later", name, zap.Error(err))
	}
}
