package p2p

import (
	"math/rand/v2"

	"go.uber.org/zap"

	"dchat/p2p/transport"
)

// Option replaces a collaborator of the node.
type Option func(*P2p)

// WithLogger makes the node log; without it nothing is logged.
func WithLogger(log *zap.Logger) Option {
	return func(p *P2p) { p.log = log }
}

// WithTransports replaces the ways in which the node connects and listens, by
// scheme: an in-memory network for tests, say. The default is
// transport.Default().
func WithTransports(set transport.Set) Option {
	return func(p *P2p) { p.transports = set }
}

// WithRandom replaces where the node's choices come from, such as which address it
// dials next: a test with a source of its own is the same each time. Peers should
// not be able to guess it. The default is the runtime's generator.
func WithRandom(source rand.Source) Option {
	return func(p *P2p) { p.random = rand.New(&sharedSource{source: source}) }
}
