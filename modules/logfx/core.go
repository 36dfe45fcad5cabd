package logfx

import (
	"io"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// The longest lines, in bytes; an error may carry a stack trace.
const (
	maxLine      = 1 << 10
	maxErrorLine = 16 << 10
)

// core writes entries as lines. Every byte of every line passes through print.
type core struct {
	zapcore.LevelEnabler
	plain zapcore.Encoder // without context
	enc   zapcore.Encoder // with it
	json  bool
	out   io.Writer
	limit *limiter
}

func newCore(s Settings, level zapcore.LevelEnabler, out io.Writer) *core {
	c := &core{LevelEnabler: level, json: s.Format == JSON, out: out, limit: newLimiter()}
	if c.json {
		c.plain = newJSONEncoder()
	} else {
		c.plain = newConsoleEncoder(s.File != "")
	}
	c.enc = c.plain
	return c
}

// With returns a core whose lines carry the fields too.
func (c *core) With(fields []zapcore.Field) zapcore.Core {
	clone := *c
	clone.enc = c.enc.Clone()
	for _, f := range fields {
		f.AddTo(clone.enc)
	}
	return &clone
}

// Check adds the core to what writes the entry, if its level is logged.
func (c *core) Check(ent zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(ent.Level) {
		return ce.AddCore(ent, c)
	}
	return ce
}

// Write writes the entry, unless too much was logged in this second.
func (c *core) Write(ent zapcore.Entry, fields []zapcore.Field) error {
	admitted, missed := c.limit.admit(ent)
	if missed > 0 {
		if err := c.printMissed(ent.Time, missed); err != nil {
			return err
		}
	}
	if !admitted {
		return nil
	}
	size, err := c.print(c.enc, ent, fields)
	c.limit.written(ent.Level, size)
	return err
}

// Sync says what was left out since it was last said. Nothing else is held back, and
// terminals cannot be synced.
func (c *core) Sync() error {
	if missed := c.limit.takeMissed(); missed > 0 {
		return c.printMissed(time.Now(), missed)
	}
	return nil
}

func (c *core) printMissed(at time.Time, missed int) error {
	note := zapcore.Entry{Time: at, Level: zapcore.WarnLevel, LoggerName: "log", Message: "too many log lines, some were left out"}
	_, err := c.print(c.plain, note, []zapcore.Field{zap.Int("count", missed)})
	return err
}

// print writes one line of printable characters and returns its length.
func (c *core) print(enc zapcore.Encoder, ent zapcore.Entry, fields []zapcore.Field) (int, error) {
	buf, err := enc.EncodeEntry(ent, fields)
	if err != nil {
		return 0, err
	}
	defer buf.Free()
	line := escape(buf.Bytes())
	most := maxLine
	if ent.Level >= zapcore.ErrorLevel {
		most = maxErrorLine
	}
	switch {
	case len(line) <= most:
		return c.out.Write(append(line, '\n'))
	case !c.json:
		return c.out.Write(append(cut(line, most), "...\n"...))
	default: // what is left of a JSON line is no JSON, so it becomes a field of a short one
		ent.LoggerName, ent.Message = "log", "a log line was too long"
		return c.print(c.plain, ent, []zapcore.Field{zap.ByteString("line", cut(line, most/3))})
	}
}

// cut returns what begins a line, at most that many bytes of it, and ends with a whole character.
func cut(line []byte, most int) []byte {
	for most > 0 && !utf8.RuneStart(line[most]) {
		most--
	}
	return line[:most]
}
