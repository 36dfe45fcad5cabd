package logfx

import (
	"bytes"

	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

// newJSONEncoder writes an entry as {"ts":…,"level":…,"logger":…,"msg":…, fields}.
func newJSONEncoder() zapcore.Encoder {
	return zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		TimeKey: "ts", LevelKey: "level", NameKey: "logger", MessageKey: "msg",
		EncodeTime:     zapcore.RFC3339NanoTimeEncoder,
		EncodeLevel:    zapcore.LowercaseLevelEncoder,
		EncodeDuration: zapcore.StringDurationEncoder,
		SkipLineEnding: true,
	})
}

// consoleEncoder writes an entry for people:
//
//	15:04:05.000 INFO  p2p.inbound: connected addr=tcp://192.0.2.1:7/ err="no \"route\""
//
// The encoder inside it writes the fields alone, as one JSON object, so that all that is
// unusual in them is quoted and escaped.
type consoleEncoder struct {
	zapcore.Encoder
	layout string
	pool   buffer.Pool
}

func newConsoleEncoder(date bool) consoleEncoder {
	layout := "15:04:05.000"
	if date {
		layout = "2006-01-02 15:04:05.000"
	}
	fields := zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		EncodeTime:     zapcore.RFC3339TimeEncoder,
		EncodeDuration: zapcore.StringDurationEncoder,
		SkipLineEnding: true,
	})
	return consoleEncoder{Encoder: fields, layout: layout, pool: buffer.NewPool()}
}

// Clone returns an independent encoder with the same fields.
func (e consoleEncoder) Clone() zapcore.Encoder {
	e.Encoder = e.Encoder.Clone()
	return e
}

// EncodeEntry writes the line, without its end.
func (e consoleEncoder) EncodeEntry(ent zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	object, err := e.Encoder.EncodeEntry(zapcore.Entry{}, fields)
	if err != nil {
		return nil, err
	}
	defer object.Free()
	line := e.pool.Get()
	line.AppendTime(ent.Time, e.layout)
	line.AppendByte(' ')
	level := ent.Level.CapitalString()
	line.AppendString(level)
	for range 6 - len(level) {
		line.AppendByte(' ')
	}
	if ent.LoggerName != "" {
		line.AppendString(ent.LoggerName)
		line.AppendString(": ")
	}
	line.AppendString(ent.Message)
	appendPairs(line, object.Bytes())
	return line, nil
}

// appendPairs appends the members of a JSON object as key=value.
func appendPairs(line *buffer.Buffer, object []byte) {
	object = bytes.TrimPrefix(object, []byte{'{'})
	object = bytes.TrimSuffix(object, []byte{'}'})
	for len(object) > 0 {
		var key, value []byte
		key, object = cutValue(object)
		value, object = cutValue(object)
		line.AppendByte(' ')
		line.AppendBytes(unquote(key))
		line.AppendByte('=')
		line.AppendBytes(unquote(value))
	}
}

// cutValue splits a list of JSON values at the first comma or colon between two of them.
func cutValue(list []byte) (value, rest []byte) {
	depth, quoted := 0, false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case depth == 0 && (c == ',' || c == ':'):
			return list[:i], list[i+1:]
		}
	}
	return list, nil
}

// unquote takes the quotes off a JSON string that cannot be mistaken without them: one of
// letters, digits and the punctuation of addresses, not of other values.
func unquote(value []byte) []byte {
	if len(value) < 3 || value[0] != '"' || value[1] == '[' {
		return value
	}
	inner := value[1 : len(value)-1]
	for _, c := range inner {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		digit := '0' <= c && c <= '9'
		if !letter && !digit && bytes.IndexByte([]byte("+-._~:/%*[]"), c) < 0 {
			return value
		}
	}
	return inner
}
