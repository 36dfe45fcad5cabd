package session

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/addr"
	"dchat/p2p/channel"
)

// Manual keeps a connection to every configured peer for as long as it runs.
type Manual struct {
	env       *Env
	connector connector
	tasks     sync.WaitGroup

	mu    sync.Mutex
	ctx   context.Context // of Run; nil before, ended after
	want  []addr.Addr
	slots map[addr.Addr]*manualSlot
}

// NewManual makes the session; Run connects.
func NewManual(env *Env, peers []addr.Addr) *Manual {
	return &Manual{env: env, connector: connector{env}, want: peers, slots: make(map[addr.Addr]*manualSlot)}
}

// Run keeps one slot for each peer until ctx ends, and returns when the last
// connection has ended.
func (s *Manual) Run(ctx context.Context) {
	s.mu.Lock()
	s.ctx = ctx
	s.fit()
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock() // no slot is added from here on
	for _, slot := range s.slots {
		slot.cancel()
	}
	s.mu.Unlock()
	s.tasks.Wait()
}

// SetPeers changes whom to be connected to: those that are no longer among them
// are left.
func (s *Manual) SetPeers(peers []addr.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.want = slices.Clone(peers)
	s.fit()
}

// fit gives every peer a slot and takes those of others; under mu.
func (s *Manual) fit() {
	if s.ctx == nil || s.ctx.Err() != nil {
		return
	}
	for peer, slot := range s.slots {
		if !slices.Contains(s.want, peer) || s.env.Refused(peer) {
			slot.end()
			delete(s.slots, peer)
		}
	}
	for _, peer := range s.want {
		if s.slots[peer] != nil {
			continue
		}
		if err := s.connector.check(peer); err != nil {
			s.env.Log.Warn("Peer left out: it cannot be dialled", zap.String("peer", peer.Redacted()), zap.Error(err))
			continue
		}
		slot := &manualSlot{session: s, peer: peer, retry: backoff{first: time.Second, last: s.env.Profile(peer.Scheme()).ConnectTimeout, jitter: s.env.Jitter}}
		slot.ctx, slot.cancel = context.WithCancel(s.ctx)
		s.slots[peer] = slot
		s.tasks.Go(slot.connect)
	}
}

// manualSlot connects to one peer, again and again. It has a goroutine only
// while it does; a connection that is up has its own.
type manualSlot struct {
	session *Manual
	peer    addr.Addr
	retry   backoff
	began   time.Time // when the connection was made
	place
}

// lasted is how long a connection must have been up, its handshake done, for the
// next failure to count as the first. It is short, so that a peer which restarts is
// found again soon, and long enough for one that cuts every connection to be left
// in peace more and more.
const lasted = 2 * time.Second

// connect tries until there is a connection or the slot ends.
func (s *manualSlot) connect() {
	for s.unconnected() {
		conn, err := s.session.connector.dial(s.ctx, s.peer)
		if err == nil {
			s.serve(conn)
			return
		}
		if s.ctx.Err() == nil {
			s.session.env.Log.Warn("Cannot connect", zap.String("peer", s.peer.Redacted()), zap.Error(err))
		}
		if !s.pause(err) {
			return
		}
	}
}

// unconnected waits while the peer is connected without our doing, and reports whether
// to go on.
func (s *manualSlot) unconnected() bool {
	for s.ctx.Err() == nil {
		ch := s.session.env.connected(s.peer)
		if ch == nil {
			return true
		}
		select {
		case <-ch.Done():
		case <-s.ctx.Done():
		}
	}
	return false
}

// serve runs the connection; at its end the slot begins again.
func (s *manualSlot) serve(conn dialled) {
	s.began = time.Now()
	s.session.env.serve(s.ctx, &s.session.tasks, link{
		conn:     conn.Conn,
		deadline: conn.deadline,
		kind:     channel.Manual,
		known:    s.peer,
		endpoint: conn.endpoint,
		begun:    s.hold,
		ended: func(err error) {
			s.session.env.logEnd(channel.Manual, s.peer, err)
			if ch := s.held(); ch != nil && ch.Opened() && time.Since(s.began) >= lasted {
				s.retry.reset()
			}
			s.hold(nil)
			s.session.tasks.Go(func() {
				if s.pause(err) {
					s.connect()
				}
			})
		},
	})
}

// selfPause is how long a peer that turned out to be ourselves is left alone.
const selfPause = 24 * time.Hour

// pause waits before the next attempt, after one that ended with err, and reports
// whether there is to be one.
func (s *manualSlot) pause(err error) bool {
	if errors.Is(err, ErrSelf) {
		s.session.env.Log.Warn("A peer is this node itself: take it out of the peers", zap.String("peer", s.peer.Redacted()))
		return sleep(s.ctx, selfPause)
	}
	d := s.retry.next()
	if s.ctx.Err() == nil {
		s.session.env.Log.Info("Connecting again", zap.String("peer", s.peer.Redacted()), zap.Duration("in", d.Round(time.Millisecond)))
	}
	return sleep(s.ctx, d)
}
