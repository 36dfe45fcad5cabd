package p2p

import (
	"math/rand/v2"
	"sync"

	"go.uber.org/zap"

	"dchat/p2p/portmap"
	"dchat/p2p/transport"
)

// Option replaces a collaborator of the node.
type Option func(*P2p)

// WithLogger makes the node log; without it nothing is logged.
func WithLogger(log *zap.Logger) Option {
	return func(p *P2p) { p.log = log }
}

// WithTransports replaces the ways in which the node connects and listens, by
// scheme: an in-memory network for tests, say. The default is what
// transport.DefaultVia offers over the proxies of the settings.
func WithTransports(set transport.Set) Option {
	return func(p *P2p) { p.transports = set }
}

// WithTransport adds a way to connect and listen, for the addresses of one more scheme, or
// takes the place of the one that served it. To be dialled the scheme must be among
// the active profiles; its time limits are those that the settings have for it.
func WithTransport(scheme string, t transport.Transport) Option {
	return func(p *P2p) { p.more = append(p.more, transport.Named{Scheme: scheme, Transport: t}) }
}

// WithRandom replaces where the node's choices come from, such as which address it
// dials next: a test with a source of its own is the same each time. Peers should
// not be able to guess it. The default is the runtime's generator.
func WithRandom(source rand.Source) Option {
	return func(p *P2p) { p.random = rand.New(&sharedSource{source: source}) }
}

// WithGateways replaces the search for routers that map ports, for nodes whose
// settings want that. The default is portmap.FindGateways.
func WithGateways(search portmap.Search) Option {
	return func(p *P2p) { p.gateways = search }
}

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
