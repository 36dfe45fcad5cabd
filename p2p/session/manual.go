package session

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/transport"
)

// Manual keeps a connection to every configured peer for as long as it runs.
type Manual struct {
	env       *Env
	connector Connector
	peers     []addr.Addr
	tasks     sync.WaitGroup
}

// NewManual makes the session; Run connects.
func NewManual(env *Env, peers []addr.Addr) *Manual {
	return &Manual{env: env, connector: Connector{env}, peers: peers}
}

// Run keeps one slot for each peer until ctx ends, and returns when the last
// connection has ended.
func (s *Manual) Run(ctx context.Context) {
	for _, peer := range s.peers {
		if err := s.connector.Check(peer); err != nil {
			s.env.Log.Warn("Peer left out: it cannot be dialled", zap.String("peer", peer.Redacted()), zap.Error(err))
			continue
		}
		slot := &manualSlot{Manual: s, peer: peer, retry: backoff{first: time.Second, last: s.env.Profile(peer.Scheme()).ConnectTimeout}}
		s.tasks.Go(func() { slot.connect(ctx) })
	}
	s.tasks.Wait()
}

// manualSlot connects to one peer, again and again. It has a goroutine only
// while it does; a connection that is up has its own.
type manualSlot struct {
	*Manual
	peer  addr.Addr
	retry backoff
	began time.Time        // when the connection was made
	ch    *channel.Channel // that it became, if any
}

// lasted is how long a connection must have been up, its handshake done, for the
// next failure to count as the first. It is short, so that a peer which restarts is
// found again soon, and long enough for one that cuts every connection to be left
// in peace more and more.
const lasted = 2 * time.Second

// connect tries until there is a connection or ctx ends.
func (s *manualSlot) connect(ctx context.Context) {
	for {
		conn, err := s.connector.Dial(ctx, s.peer)
		if err == nil {
			s.serve(ctx, conn)
			return
		}
		if ctx.Err() == nil {
			s.env.Log.Warn("Cannot connect", zap.String("peer", s.peer.Redacted()), zap.Error(err))
		}
		if !s.pause(ctx) {
			return
		}
	}
}

// serve runs the connection; at its end the slot begins again.
func (s *manualSlot) serve(ctx context.Context, conn transport.Conn) {
	s.began, s.ch = time.Now(), nil
	s.env.serve(ctx, &s.tasks, link{
		conn:     conn,
		kind:     channel.Manual,
		known:    s.peer,
		endpoint: s.peer,
		begun:    func(ch *channel.Channel) { s.ch = ch },
		ended: func(err error) {
			s.env.logEnd(channel.Manual, s.peer, err)
			if s.ch != nil && s.ch.Opened() && time.Since(s.began) >= lasted {
				s.retry.reset()
			}
			s.tasks.Go(func() {
				if s.pause(ctx) {
					s.connect(ctx)
				}
			})
		},
	})
}

// pause waits before the next attempt and reports whether there is to be one.
func (s *manualSlot) pause(ctx context.Context) bool {
	d := s.retry.next()
	if ctx.Err() == nil {
		s.env.Log.Info("Connecting again", zap.String("peer", s.peer.Redacted()), zap.Duration("in", d.Round(time.Millisecond)))
	}
	return sleep(ctx, d)
}
