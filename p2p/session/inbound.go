package session

import (
	"context"
	"errors"
	"slices"
	"sync"

	"go.uber.org/zap"

	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/dnet"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// Inbound takes the connections that others make to us.
type Inbound struct {
	env       *Env
	slots     int
	listeners []transport.Listener

	mu   sync.Mutex
	lost []addr.Addr // that nothing listens on any more
}

// Listen makes the session and listens on every address; ctx bounds that only.
// If one cannot be listened on the others are closed again and the error, a
// *transport.Error, names it.
//
// Each address takes at most slots connections at a time, those in the handshake
// included; a quarter of them, but two at least, from one IPv4 address or IPv6 /64. That
// does not hold for connections from this machine itself on a local network, nor when
// they can come from nowhere else, because what is listened on is a loopback address:
// they may be handed on by a proxy. Of those in the handshake, at most 64, the ones
// that take longest go when others want their places.
func Listen(ctx context.Context, env *Env, addrs []addr.Addr, slots int) (*Inbound, error) {
	s := &Inbound{env: env, slots: slots}
	for _, a := range addrs {
		l, err := env.Transports.Listen(ctx, a)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.listeners = append(s.listeners, l)
	}
	return s, nil
}

// Addrs returns the addresses listened on, with the ports really taken.
func (s *Inbound) Addrs() []addr.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	var addrs []addr.Addr
	for _, l := range s.listeners {
		if a := l.Addr(); !slices.Contains(s.lost, a) {
			addrs = append(addrs, a)
		}
	}
	return addrs
}

// Close stops listening; for a session that is not run.
func (s *Inbound) Close() error {
	var errs []error
	for _, l := range s.listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// Run serves connections until ctx ends, and returns when the last has ended. An
// address whose listener breaks is listened on again; when that does not help, lost is
// told, with a *transport.Error that names it, and the others go on.
func (s *Inbound) Run(ctx context.Context, lost func(err error)) {
	var acceptors sync.WaitGroup
	defer acceptors.Wait()
	for _, l := range s.listeners {
		s.env.Log.Info("Listening", zap.String("addr", l.Addr().Redacted()))
		ip, _ := l.Addr().IP()
		a := &Acceptor{
			listener: l,
			listen:   s.env.Transports.Listen,
			lost: func(err error) {
				s.lose(l.Addr())
				lost(err)
			},
			guests:  newGuests(s.slots, s.env.Localnet || ip.IsLoopback()),
			refused: s.env.Refused,
			serve:   s.serve,
			log:     s.env.Log,
		}
		acceptors.Go(func() { a.Run(ctx) })
	}
}

func (s *Inbound) lose(a addr.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = append(s.lost, a)
}

// serve runs one connection among the tasks; its guest leaves at its end.
func (s *Inbound) serve(ctx context.Context, tasks *sync.WaitGroup, conn transport.Conn, v *guest) {
	var ch *channel.Channel
	peer := conn.Peer()
	s.env.serve(ctx, tasks, link{
		conn:  conn,
		kind:  channel.Inbound,
		known: peer,
		begun: func(begun *channel.Channel) {
			ch = begun
			s.emit(dnet.InboundConnected, ch)
		},
		opened: v.stay,
		ended: func(err error) {
			v.leave()
			if ch != nil {
				s.emit(dnet.InboundDisconnected, ch)
			}
			if offence := (*wire.Error)(nil); ch == nil || !ch.Opened() && !errors.As(err, &offence) {
				s.env.Log.Debug("Connection dropped before its handshake was done", zap.String("peer", peer.Redacted()), zap.Error(err))
				return
			}
			s.env.logEnd(channel.Inbound, peer, err)
		},
	})
}

func (s *Inbound) emit(name string, ch *channel.Channel) {
	s.env.Events.Emit(dnet.Event{Name: name, Addr: ch.Addr(), Channel: ch.ID()})
}
