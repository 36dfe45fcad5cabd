package daemon

import (
	"io"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxevent"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const (
	// startTimeout bounds the start. Listening takes milliseconds; looking up the
	// name of an inbound address can take longer.
	startTimeout = 15 * time.Second
	// stopTimeout bounds the stop. Only peers that read slowly make use of it.
	stopTimeout = 5 * time.Second
)

// Options are those of every daemon: the time for the start, 15 s, and for the
// stop, 5 s, and that fx logs at debug only.
func Options() fx.Option {
	return fx.Options(
		fx.WithLogger(quietly),
		fx.StartTimeout(startTimeout),
		fx.StopTimeout(stopTimeout),
	)
}

// LogTo makes a writer stand for standard error in the log.
func LogTo(stderr io.Writer) fx.Option {
	return fx.Supply(fx.Annotate(stderr, fx.As(new(io.Writer)), fx.ResultTags(`name:"stderr"`)))
}

// quietly shows what fx itself does at debug only: its failures come back as
// errors and are reported once, by the command.
func quietly(log *zap.Logger) fxevent.Logger {
	l := &fxevent.ZapLogger{Logger: log.Named("fx")}
	l.UseLogLevel(zapcore.DebugLevel)
	l.UseErrorLevel(zapcore.DebugLevel)
	return lifecycleOnly{l}
}

// lifecycleOnly drops what fx says of its graph, which is the same at each start.
type lifecycleOnly struct{ next fxevent.Logger }

// LogEvent passes on what starts and stops.
func (l lifecycleOnly) LogEvent(e fxevent.Event) {
	switch e.(type) {
	case *fxevent.Provided, *fxevent.Supplied, *fxevent.Replaced, *fxevent.Decorated, *fxevent.Run, *fxevent.BeforeRun, *fxevent.Invoking, *fxevent.Invoked:
	default:
		l.next.LogEvent(e)
	}
}
