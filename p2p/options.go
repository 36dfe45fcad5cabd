package p2p

import (
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
