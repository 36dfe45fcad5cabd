// Package relisten keeps an address listened on whose listener breaks, as when an
// interface goes away for a moment or something else shuts the socket.
package relisten

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
)

const (
	// patience is how long it is tried to listen again. An interface that is set up
	// anew is back by then.
	patience = 30 * time.Second

	// The pauses between two tries grow from the first to the last. A listener that
	// works for longer than the last one has not failed to come back.
	pauseFirst = 100 * time.Millisecond
	pauseLast  = 5 * time.Second
)

// Keep serves a listener, and another one of its address when it breaks: serve returns
// why its listener is of no use any more, and listen makes the next one. A listener is
// closed when ctx ends, which has to make serve return, and when it is broken. What
// breaks and what comes back is logged.
//
// It returns nil when ctx ends. The error says that nothing has helped for 30 s, and is
// the last one of serve or listen.
func Keep[L io.Closer](ctx context.Context, log *zap.Logger, listener L, serve func(L) error, listen func(context.Context) (L, error)) error {
	var broken time.Time // since when; zero: it has always worked
	var err error
	for pause := pauseFirst; ; pause = min(2*pause, pauseLast) {
		began := time.Now()
		if err == nil {
			err = serveUntil(ctx, log, listener, serve)
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the listener was closed for it
		}
		if broken.IsZero() || time.Since(began) > pauseLast {
			broken, pause = time.Now(), pauseFirst
		}
		if time.Since(broken) >= patience {
			return err
		}
		log.Warn("Listener broken, listening again", zap.Error(err), zap.Duration("pause", pause))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
		if listener, err = again(ctx, listen); err == nil {
			log.Info("Listening again")
		}
	}
}

// serveUntil serves a listener, which is closed when it returns.
func serveUntil[L io.Closer](ctx context.Context, log *zap.Logger, listener L, serve func(L) error) error {
	shut := sync.OnceFunc(func() {
		if err := listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) { // closed already is no fault
			log.Warn("Closing a listener failed", zap.Error(err))
		}
	})
	stop := context.AfterFunc(ctx, shut)
	defer stop()
	defer shut() // waits for the other one to end, and its port is free
	return serve(listener)
}

// again listens. A name that is not found in time must not hold up the end.
func again[L io.Closer](ctx context.Context, listen func(context.Context) (L, error)) (L, error) {
	ctx, cancel := context.WithTimeout(ctx, pauseLast)
	defer cancel()
	return listen(ctx)
}

// Temporary tells whether an error of Accept passes by itself, so that the listener is
// to be asked again after a pause: the process has no descriptor left, or the system no
// memory.
func Temporary(err error) bool {
	var says interface{ Temporary() bool }
	return errors.As(err, &says) && says.Temporary() || errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}
