package logfx

import (
	"fmt"

	"go.uber.org/zap/zapcore"
)

// The formats of a log line.
const (
	Console = "console" // for people: time, level, component, message, key=value
	JSON    = "json"    // for programs: one object a line
)

// Settings say what is logged, how and where.
type Settings struct {
	// Level is the lowest level that is logged, debug to error; default info.
	Level zapcore.Level

	// Format is Console, the default, or JSON.
	Format string

	// File is appended to instead of writing to standard error, and made with mode
	// 0600 when it is missing. Empty, the default, is standard error.
	File string
}

// DefaultSettings returns info for people on standard error.
func DefaultSettings() Settings {
	return Settings{Level: zapcore.InfoLevel, Format: Console}
}

// Validate tells whether the level and the format are known ones.
func (s Settings) Validate() error {
	if s.Level < zapcore.DebugLevel || s.Level > zapcore.ErrorLevel {
		return fmt.Errorf("level is %v: use debug, info, warn or error", s.Level)
	}
	if s.Format != Console && s.Format != JSON {
		return fmt.Errorf("format is %q: use %q or %q", s.Format, Console, JSON)
	}
	return nil
}
