package jsonrpc

import (
	"context"
	"net"

	"go.uber.org/zap"

	"dchat/p2p/addr"
	"dchat/p2p/relisten"
)

// Err returns the channel on which the server reports that no client can connect any more: its
// listener broke, and for half a minute its address could not be listened on again. Clients that
// are connected are still served. The channel is the same after every Start and is never closed;
// it holds the error until it is read, and Start takes out what the last run has left. Nobody has
// to read it.
func (s *Server) Err() <-chan error { return s.lost }

// keep serves clients until ctx ends, and listens again at the same address when the listener
// breaks.
func (s *Server) keep(ctx context.Context, at addr.Addr, slots *slotListener, serve func(net.Listener) error) {
	again := func(ctx context.Context) (*slotListener, error) {
		l, err := s.listen(ctx, at)
		if err != nil {
			return nil, err
		}
		return slots.over(l), nil
	}
	if err := relisten.Keep(ctx, s.log.With(zap.String("addr", at.Redacted())), slots, func(l *slotListener) error { return serve(l) }, again); err != nil {
		s.lost <- cannotListen(at, err)
	}
}
