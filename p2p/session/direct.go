package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/dnet"
	"dchat/p2p/hosts"
)

// ErrNotDirect says that an address is not one to be connected to on demand.
var ErrNotDirect = errors.New("no direct connection")

// Direct connects on demand: to one address, for as long as somebody uses it, and
// not again when it is lost.
type Direct struct {
	env       *Env
	connector connector
	seeds     *SeedSync
	tasks     sync.WaitGroup

	ctx   context.Context // ends every connection
	mu    sync.Mutex
	lines map[addr.Addr]*line

	searching chan struct{} // holds the one search for peers there is at a time
}

// line is a connection that was asked for.
type line struct {
	users int           // under the session's mu
	ready chan struct{} // closed when there is a channel or an error
	ch    *channel.Channel
	err   error
	gone  chan struct{} // closed when it has ended and another can begin
}

// ending tells whether the line is of no use any more; under the session's mu.
func (l *line) ending() bool { return l.err != nil || l.ch != nil && l.ch.Err() != nil }

// NewDirect makes the session; Channel connects until ctx ends.
func NewDirect(ctx context.Context, env *Env, seeds *SeedSync) *Direct {
	return &Direct{ctx: ctx, env: env, connector: connector{env}, seeds: seeds, lines: make(map[addr.Addr]*line), searching: make(chan struct{}, 1)}
}

// Run returns when ctx, which is that of NewDirect, has ended and with it the last
// connection.
func (s *Direct) Run(ctx context.Context) {
	<-ctx.Done()
	s.mu.Lock()   // nothing is added from here on
	s.mu.Unlock() //nolint:staticcheck // it waits for who is adding
	s.tasks.Wait()
}

// Channel returns the channel to an address: the one there is, or a new one when
// its handshake is done. What it returns beside it must be called once, when the
// channel is no longer used; a channel of this session ends with its last user.
// The error wraps ErrNotDirect for a seed, an address of our own and one that
// cannot be dialled; it is a *hosts.StateError for one that another session tries
// just now, or that failed a moment ago; else it is that of the dial, the handshake or
// ctx.
func (s *Direct) Channel(ctx context.Context, a addr.Addr) (ch *channel.Channel, release func(), err error) {
	if err := s.check(a); err != nil {
		return nil, nil, fmt.Errorf("%w to %s: %w", ErrNotDirect, a.Redacted(), err)
	}
	if ch := s.existing(a); ch != nil {
		return ch, func() {}, nil
	}
	l, err := s.join(ctx, a)
	if err != nil {
		return nil, nil, err
	}
	select {
	case <-l.ready:
	case <-ctx.Done():
		s.leave(l)
		return nil, nil, ctx.Err()
	}
	if l.err != nil {
		s.leave(l)
		return nil, nil, l.err
	}
	return l.ch, sync.OnceFunc(func() { s.leave(l) }), nil
}

func (s *Direct) check(a addr.Addr) error {
	if s.seeds.has(a) {
		return errors.New("it is a seed")
	}
	if slices.ContainsFunc(s.env.External(), func(own addr.Addr) bool { return own.Public() == a.Public() }) {
		return errors.New("it is our own")
	}
	return s.connector.check(a)
}

// existing returns a channel that another session has to the address, or nil.
func (s *Direct) existing(a addr.Addr) *channel.Channel {
	if ch := s.env.connected(a); ch != nil && ch.Kind() != channel.Direct {
		return ch
	}
	for _, ch := range s.env.Node.Channels() {
		if ch.Addr() == a && ch.Kind()&(channel.Outbound|channel.Manual) != 0 {
			return ch
		}
	}
	return nil
}

// join makes the caller a user of the line to an address, which begins with the
// first of them. One that is ending is waited for.
func (s *Direct) join(ctx context.Context, a addr.Addr) (*line, error) {
	for {
		s.mu.Lock()
		l, err := s.lineTo(a)
		ending := err == nil && l.ending()
		if err == nil && !ending {
			l.users++
		}
		s.mu.Unlock()
		if !ending {
			return l, err
		}
		select {
		case <-l.gone:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// lineTo returns the line to an address, or begins one; under mu.
func (s *Direct) lineTo(a addr.Addr) (*line, error) {
	if s.ctx.Err() != nil {
		return nil, channel.ErrStopped
	}
	if l := s.lines[a]; l != nil {
		return l, nil
	}
	if err := s.env.Hosts.Claim(a, hosts.Connecting); err != nil {
		return nil, err
	}
	l := &line{ready: make(chan struct{}), gone: make(chan struct{})}
	s.lines[a] = l
	s.tasks.Go(func() { s.connect(a, l) })
	return l, nil
}

// leave ends the line with its last user. While there is no channel yet it goes on,
// since another user may come.
func (s *Direct) leave(l *line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.users--; l.users == 0 && l.ch != nil {
		l.ch.Close(channel.ErrClosed)
	}
}

func (s *Direct) connect(a addr.Addr, l *line) {
	s.emit(dnet.Event{Name: dnet.DirectConnecting, Addr: a})
	conn, err := s.connector.dial(s.ctx, a)
	if err != nil {
		s.ended(a, l, time.Time{}, err)
		return
	}
	var ch *channel.Channel
	var began time.Time
	s.env.serve(s.ctx, &s.tasks, link{
		conn:     conn.Conn,
		deadline: conn.deadline,
		kind:     channel.Direct,
		known:    a,
		endpoint: conn.endpoint,
		begun: func(begun *channel.Channel) {
			ch = begun
			s.emit(dnet.Event{Name: dnet.DirectConnected, Addr: a, Channel: ch.ID()})
		},
		opened: func() error {
			if err := s.env.Hosts.Connected(a); err != nil {
				return err
			}
			began = time.Now()
			s.ready(l, ch)
			return nil
		},
		ended: func(err error) { s.ended(a, l, began, err) },
	})
}

// ready hands the channel to the users; when they have all left it ends.
func (s *Direct) ready(l *line, ch *channel.Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.ch = ch
	close(l.ready)
	if l.users == 0 {
		ch.Close(channel.ErrClosed)
	}
}

// ended says what became of a connection that was up from began on, or never.
func (s *Direct) ended(a addr.Addr, l *line, began time.Time, err error) {
	s.mu.Lock()
	if l.ch == nil {
		l.err = err
		close(l.ready)
	}
	s.mu.Unlock()
	if began.IsZero() {
		dialFailed(s.ctx, s.env.Hosts, a, err)
	} else {
		connectionEnded(s.ctx, s.env.Hosts, a, time.Since(began), err)
	}
	s.mu.Lock()
	delete(s.lines, a)
	s.mu.Unlock()
	close(l.gone)
	s.emit(dnet.Event{Name: dnet.DirectDisconnected, Addr: a, Err: err.Error()})
}

func (s *Direct) emit(e dnet.Event) { s.env.Events.Emit(e) }
