package p2p

import (
	"math/rand/v2"
	"sync"
)

// unguessable is the runtime's own generator.
type unguessable struct{}

// Uint64 implements rand.Source.
func (unguessable) Uint64() uint64 { return rand.Uint64() }

// sharedSource lets many goroutines use a source.
type sharedSource struct {
	mu     sync.Mutex
	source rand.Source
}

// Uint64 implements rand.Source.
func (s *sharedSource) Uint64() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.source.Uint64()
}
