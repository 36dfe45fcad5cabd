package logfx

import (
	"context"
	"fmt"
	"io"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Log is a logger together with what it writes to.
type Log struct {
	Logger *zap.Logger
	Level  zap.AtomicLevel // what Logger logs; changes at once

	core *core
	out  *output
}

// New returns a logger that writes to stderr, or to the file of the settings. It can be
// used at once: the file is opened with the first line, and lines that cannot be
// written to it go to stderr. The error is that of Settings.Validate.
func New(s Settings, stderr io.Writer) (*Log, error) {
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	level := zap.NewAtomicLevelAt(s.Level)
	out := &output{stderr: stderr, path: s.File}
	c := newCore(s, level, out)
	return &Log{
		Logger: zap.New(c, zap.ErrorOutput(zapcore.Lock(zapcore.AddSync(stderr)))),
		Level:  level,
		core:   c,
		out:    out,
	}, nil
}

// Start opens the log file, so that one that cannot be opened is an error and not a
// surprise. Without a file it does nothing.
func (l *Log) Start(context.Context) error { return l.out.start() }

// Stop closes the log file. The logger still works: each further line opens the file
// and closes it again.
func (l *Log) Stop(context.Context) error {
	if err := l.core.Sync(); err != nil {
		return err
	}
	return l.out.stop()
}
