package session

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/addr"
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
	guests   *guests
	refused  func(peer addr.Addr) bool
	log      *zap.Logger

	// serve runs a connection, itself or among the tasks. Its guest stays when the
	// handshake is done and leaves at the end.
	serve func(ctx context.Context, tasks *sync.WaitGroup, conn transport.Conn, v *guest)
}

// Run accepts until ctx ends, then closes the listener and waits for the
// connections it runs.
func (a *Acceptor) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	stop := context.AfterFunc(ctx, func() { a.close() })
	defer a.close()
	defer stop()
	if s, ok := a.listener.(transport.Screener); ok {
		s.Screen(a.refused)
	}
	pause := acceptPauseFirst
	for ctx.Err() == nil {
		conn, err := a.listener.Accept()
		if err != nil {
			if ctx.Err() != nil || !a.wait(ctx, err, &pause) {
				return
			}
			continue
		}
		pause = acceptPauseFirst
		a.take(ctx, &running, conn)
	}
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

// wait pauses after a failed accept and reports whether to go on.
func (a *Acceptor) wait(ctx context.Context, err error, pause *time.Duration) bool {
	if errors.Is(err, net.ErrClosed) {
		a.log.Error("Listener lost", zap.String("addr", a.listener.Addr().Redacted()), zap.Error(err))
		return false
	}
	a.log.Warn("Accepting a connection failed", zap.Error(err), zap.Duration("pause", *pause))
	ok := sleep(ctx, *pause)
	*pause = min(2**pause, acceptPauseLast)
	return ok
}

// close unblocks Accept. That a listener is closed already is no fault.
func (a *Acceptor) close() {
	if err := a.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		a.log.Warn("Closing a listener failed", zap.Error(err))
	}
}
