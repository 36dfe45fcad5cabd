package session

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/addr"
	"dchat/p2p/relisten"
	"dchat/p2p/transport"
)

// The pause after a failed accept, such as one without a free descriptor, grows
// from the first to the last: trying at once again would only burn the CPU.
const (
	acceptPauseFirst = 5 * time.Millisecond
	acceptPauseLast  = time.Second
)

// Acceptor takes connections from one listener and has each served on a goroutine
// of its own. One that is refused, or for which there is no place, is closed at once
// and before anything is said, so that its maker knows and nobody waits in the
// backlog.
type Acceptor struct {
	listener transport.Listener
	listen   func(ctx context.Context, a addr.Addr) (transport.Listener, error) // again, when that breaks
	lost     func(err error)                                                    // told when nothing listens any more
	guests   *guests
	refused  func(peer addr.Addr) bool
	log      *zap.Logger

	// serve runs a connection, itself or among the tasks. Its guest stays when the
	// handshake is done and leaves at the end.
	serve func(ctx context.Context, tasks *sync.WaitGroup, conn transport.Conn, v *guest)
}

// Run accepts until ctx ends, then closes the listener and waits for the
// connections it runs. These go on when the listener is lost before.
func (a *Acceptor) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	at := a.listener.Addr() // with the port that peers know
	err := relisten.Keep(ctx, a.log.With(zap.String("addr", at.Redacted())), a.listener,
		func(l transport.Listener) error { return a.accept(ctx, &running, l) },
		func(ctx context.Context) (transport.Listener, error) { return a.listen(ctx, at) },
	)
	if err == nil {
		return
	}
	if listen := (*transport.Error)(nil); !errors.As(err, &listen) { // it was listened on, and that broke
		err = &transport.Error{Op: "listen on", Addr: at, Err: err}
	}
	a.lost(err)
}

// accept takes connections until the listener breaks or ctx ends.
func (a *Acceptor) accept(ctx context.Context, running *sync.WaitGroup, l transport.Listener) error {
	if s, ok := l.(transport.Screener); ok {
		s.Screen(a.refused)
	}
	pause := acceptPauseFirst
	for ctx.Err() == nil {
		conn, err := l.Accept()
		switch {
		case err == nil:
			pause = acceptPauseFirst
			a.take(ctx, running, conn)
		case ctx.Err() != nil:
		case !relisten.Temporary(err):
			return err
		default:
			a.log.Warn("Accepting a connection failed", zap.Error(err), zap.Duration("pause", pause))
			sleep(ctx, pause)
			pause = min(2*pause, acceptPauseLast)
		}
	}
	return nil
}

// take has a connection served, or closes it. Nothing was sent to any that is closed
// here that could be lost.
func (a *Acceptor) take(ctx context.Context, running *sync.WaitGroup, conn transport.Conn) {
	if a.refused(conn.Peer()) {
		_ = conn.Close()
		a.log.Debug("Connection refused: the peer is on the blacklist", zap.Stringer("peer", redacted(conn.Peer())))
		return
	}
	v, evicted := a.guests.admit(conn)
	if evicted != nil {
		_ = evicted.Close() // whoever serves it finds out
	}
	if v == nil {
		_ = conn.Close()
		a.log.Debug("Connection refused: there is no place for it", zap.Int("slots", a.guests.places), zap.Stringer("peer", redacted(conn.Peer())))
		return
	}
	running.Go(func() { a.serve(ctx, running, conn, v) })
}

// redacted is an address that is made printable when it is printed.
type redacted addr.Addr

func (r redacted) String() string { return addr.Addr(r).Redacted() }
