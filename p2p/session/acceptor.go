package session

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/transport"
)

// The pause after a failed accept, such as one without a free descriptor, grows
// from the first to the last: trying at once again would only burn the CPU.
const (
	acceptPauseFirst = 5 * time.Millisecond
	acceptPauseLast  = time.Second
)

// Acceptor takes connections from one listener, at most slots at a time, and has
// each served on a goroutine of its own. Further ones are closed at once, so that
// their makers know and nobody waits in the backlog.
type Acceptor struct {
	listener transport.Listener
	slots    int
	log      *zap.Logger

	// serve runs a connection, itself or among the tasks, and calls free at its end.
	serve func(ctx context.Context, tasks *sync.WaitGroup, conn transport.Conn, free func())
}

// Run accepts until ctx ends, then closes the listener and waits for the
// connections it runs.
func (a *Acceptor) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	stop := context.AfterFunc(ctx, func() { a.close() })
	defer a.close()
	defer stop()
	free := make(chan struct{}, a.slots)
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
		select {
		case free <- struct{}{}:
			running.Go(func() { a.serve(ctx, &running, conn, func() { <-free }) })
		default:
			a.log.Debug("Connection refused: all inbound slots are taken", zap.Int("slots", a.slots), zap.String("peer", conn.Peer().Redacted()))
			_ = conn.Close() // nothing was sent that could be lost
		}
	}
}

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
