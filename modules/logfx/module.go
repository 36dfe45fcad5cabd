// Package logfx makes the logger that all parts of the application share.
//
// It provides a *zap.Logger and the zap.AtomicLevel that changes what it logs while it
// runs; it needs Settings. Lines go to standard error, or to the io.Writer named
// "stderr" if there is one, or to the file of the Settings, which is opened with the
// first line and closed when the application stops. To use another logger replace the
// type at the root of the application:
//
//	fx.Replace(zaptest.NewLogger(t))
//
// A logger of this package can be pointed at what strangers say. Whatever stands in a
// message or a field, a line of the log stays one line of printable characters: all
// others (line ends, escape sequences, characters that reorder text) are written as
// \uXXXX. And however often they say it, at most 100 lines and 1 MiB/60 are written in a
// second at the default level; what was left out is counted, and the log says so.
package logfx

import (
	"io"
	"os"

	"go.uber.org/fx"
	"go.uber.org/zap"
)

// Module provides *zap.Logger and zap.AtomicLevel.
var Module = fx.Module("log", fx.Provide(provide))

// Params is what the module needs.
type Params struct {
	fx.In

	Settings  Settings
	Stderr    io.Writer `name:"stderr" optional:"true"`
	Lifecycle fx.Lifecycle
}

// Result is what the module provides.
type Result struct {
	fx.Out

	Logger *zap.Logger
	Level  zap.AtomicLevel
}

func provide(p Params) (Result, error) {
	if p.Stderr == nil {
		p.Stderr = os.Stderr
	}
	log, err := New(p.Settings, p.Stderr)
	if err != nil {
		return Result{}, err
	}
	p.Lifecycle.Append(fx.Hook{OnStart: log.Start, OnStop: log.Stop})
	return Result{Logger: log.Logger, Level: log.Level}, nil
}
