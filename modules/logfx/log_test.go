package logfx

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is a clock that stands still unless told to go on.
type noon struct{ now time.Time }

func newNoon() *noon { return &noon{time.Date(2026, 5, 1, 12, 0, 0, 5e6, time.UTC)} }

func (n *noon) Now() time.Time                       { return n.now }
func (*noon) NewTicker(d time.Duration) *time.Ticker { return time.NewTicker(d) }

// logTo returns a logger that writes to the buffer.
func logTo(t *testing.T, out *bytes.Buffer, s Settings) (*zap.Logger, *Log, *noon) {
	t.Helper()
	log, err := New(s, out)
	if err != nil {
		t.Fatal(err)
	}
	clock := newNoon()
	return log.Logger.WithOptions(zap.WithClock(clock)), log, clock
}

func TestConsoleLineIsForPeople(t *testing.T) {
	for _, tt := range []struct {
		name string
		log  func(*zap.Logger)
		want string
	}{
		{"message alone", func(l *zap.Logger) { l.Info("Starting P2P network") },
			"12:00:00.005 INFO  Starting P2P network\n"},
		{"component and fields", func(l *zap.Logger) {
			l.Named("p2p").Named("inbound").Warn("banned", zap.String("addr", "tcp://[::1]:7/"), zap.Int("slot", 3), zap.Duration("dur", 1500*time.Millisecond), zap.Bool("final", true))
		}, "12:00:00.005 WARN  p2p.inbound: banned addr=tcp://[::1]:7/ slot=3 dur=1.5s final=true\n"},
		{"fields of the context come first", func(l *zap.Logger) { l.With(zap.Int("a", 1)).With(zap.Int("b", 2)).Error("m", zap.Int("c", 3)) },
			"12:00:00.005 ERROR m a=1 b=2 c=3\n"},
		{"what could be mistaken is quoted", func(l *zap.Logger) {
			l.Info("m", zap.String("a", "x level=error"), zap.String("b", ""), zap.String("c", `say "hi", now: go`), zap.String("d", "[1]"), zap.String("e", "}{"))
		}, `12:00:00.005 INFO  m a="x level=error" b="" c="say \"hi\", now: go" d="[1]" e="}{"` + "\n"},
		{"lists and objects are JSON", func(l *zap.Logger) {
			l.Info("m", zap.Strings("list", []string{"a,b", "c:d"}), zap.Any("map", map[string]any{"k": []int{1}}), zap.Namespace("n"), zap.Int("x", 1))
		}, `12:00:00.005 INFO  m list=["a,b","c:d"] map={"k":[1]} n={"x":1}` + "\n"},
		{"letters of any language stay", func(l *zap.Logger) { l.Info("m", zap.String("text", "Grüße 你好 🙂")) },
			`12:00:00.005 INFO  m text="Grüße 你好 🙂"` + "\n"},
		{"no stack trace with an error", func(l *zap.Logger) { l.Error("failed", zap.Error(errors.New("why"))) },
			"12:00:00.005 ERROR failed error=why\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			log, _, _ := logTo(t, &out, DefaultSettings())
			tt.log(log)
			if out.String() != tt.want {
				t.Errorf("got  %s\nwant %s", out.String(), tt.want)
			}
		})
	}
}

func TestJSONLineIsForPrograms(t *testing.T) {
	var out bytes.Buffer
	log, _, _ := logTo(t, &out, Settings{Format: JSON})
	log.Named("p2p").Info("connected", zap.String("addr", "tcp://h:1/"))
	want := `{"level":"info","ts":"2026-05-01T12:00:00.005Z","logger":"p2p","msg":"connected","addr":"tcp://h:1/"}` + "\n"
	if out.String() != want {
		t.Errorf("got %s want %s", out.String(), want)
	}
}

func TestLevels(t *testing.T) {
	var out bytes.Buffer
	log, handle, _ := logTo(t, &out, DefaultSettings())
	log.Debug("hidden")
	handle.Level.SetLevel(zapcore.DebugLevel)
	log.Debug("shown")
	if got := out.String(); strings.Contains(got, "hidden") || !strings.Contains(got, "shown") {
		t.Errorf("the level is info first and debug then: %s", got)
	}
}

func TestUnknownSettingsAreErrors(t *testing.T) {
	for _, s := range []Settings{{Format: "xml"}, {Format: Console, Level: zapcore.FatalLevel}, {Level: -2, Format: JSON}} {
		if _, err := New(s, &bytes.Buffer{}); err == nil {
			t.Errorf("%+v was taken", s)
		}
	}
}

// hostile is what a peer may try to get into a terminal.
const hostile = "a\x00\x07\x1b[31m\x1b]0;title\x07\r\nFAKE INFO line\t\x7f\u0085\u009b2J\u200b\u200e\u202e\u2066\u2028\ufeff\U000e0001\xff\xc3\x28 \"q\" \\ {}[]=,:"

type text string

func (s text) String() string               { return string(s) }
func (s text) MarshalText() ([]byte, error) { return []byte(s), nil }
func (s text) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(s + " verbose")) }
func (s text) Error() string                { return string(s) }
func (s text) MarshalLogObject(o zapcore.ObjectEncoder) error {
	o.AddString(string(s), string(s))
	return errors.New(string(s))
}

func hostileFields(s string) map[string]zap.Field {
	return map[string]zap.Field{
		"string":      zap.String("f", s),
		"key":         zap.String(s, "v"),
		"bytes":       zap.ByteString("f", []byte(s)),
		"strings":     zap.Strings("f", []string{s, s}),
		"stringer":    zap.Stringer("f", text(s)),
		"stringers":   zap.Stringers("f", []text{text(s)}),
		"error":       zap.Error(fmt.Errorf("dial: %w", errors.New(s))),
		"formatter":   zap.Error(text(s)),
		"joined":      zap.Error(errors.Join(errors.New(s), errors.New(s))),
		"errors":      zap.Errors("f", []error{errors.New(s)}),
		"object":      zap.Object("f", text(s)),
		"inline":      zap.Inline(text(s)),
		"reflected":   zap.Any("f", map[string]any{s: []any{s, map[string]string{"k": s}}}),
		"marshaler":   zap.Reflect("f", struct{ T text }{text(s)}),
		"raw message": zap.Reflect("f", json.RawMessage(fmt.Sprintf("[\n%q]", "\u202e\u009b"))),
		"namespace":   zap.Namespace(s),
	}
}

// checkLines fails unless out is that many lines of printable characters.
func checkLines(t *testing.T, out string, lines int) {
	t.Helper()
	if strings.Count(out, "\n") != lines || !strings.HasSuffix(out, "\n") {
		t.Errorf("got %d lines, want %d: %q", strings.Count(out, "\n"), lines, out)
	}
	for i, r := range out {
		if r != '\n' && !unicode.IsPrint(r) || r == utf8.RuneError {
			t.Fatalf("character %U got through at %d: %q", r, i, out)
		}
	}
}

func TestNothingUnprintableReachesTheOutput(t *testing.T) {
	for _, format := range []string{Console, JSON} {
		for name, field := range hostileFields(hostile) {
			t.Run(format+"/"+name, func(t *testing.T) {
				var out bytes.Buffer
				log, _, _ := logTo(t, &out, Settings{Format: format})
				log.Named(hostile).With(field).Info(hostile, field)
				checkLines(t, out.String(), 1)
				if format == JSON && !json.Valid(out.Bytes()) {
					t.Errorf("no JSON: %s", out.String())
				}
			})
		}
	}
}

func TestEscapedJSONReadsAsWhatWasLogged(t *testing.T) {
	said := strings.ToValidUTF8(hostile, "\ufffd")
	var out bytes.Buffer
	log, _, _ := logTo(t, &out, Settings{Format: JSON})
	log.Info("m", zap.String("text", said))
	var line struct{ Text string }
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line.Text != said {
		t.Errorf("got %q (%v), want %q", line.Text, err, said)
	}
}

func TestLongLinesAreCut(t *testing.T) {
	for _, tt := range []struct {
		level   zapcore.Level
		longest int
	}{{zapcore.InfoLevel, maxLine}, {zapcore.ErrorLevel, maxErrorLine}} {
		for _, format := range []string{Console, JSON} {
			var out bytes.Buffer
			log, _, _ := logTo(t, &out, Settings{Format: format})
			for i := range 4 { // the cut falls on each byte of a character
				out.Reset()
				log.Log(tt.level, "m", zap.String("text", strings.Repeat("x", i)+strings.Repeat("🙂", 1<<16)))
				checkLines(t, out.String(), 1)
				if n := out.Len(); n < tt.longest/3 || n > tt.longest+200 {
					t.Errorf("%s %v: line of %d bytes, want about %d", format, tt.level, n, tt.longest)
				}
				if format == JSON && !json.Valid(out.Bytes()) {
					t.Errorf("no JSON: %s", out.String())
				}
			}
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add(hostile, hostile, true)
	f.Add("m", `x","y":{"z":[1,`, false)
	f.Add("\\", "\\u202e\u202e", true)
	f.Fuzz(func(t *testing.T, message, value string, asJSON bool) {
		s := DefaultSettings()
		if asJSON {
			s.Format = JSON
		}
		var out bytes.Buffer
		log, err := New(s, &out)
		if err != nil {
			t.Fatal(err)
		}
		log.Logger.Info(message, zap.String(value, value), zap.Strings("list", []string{value}), zap.Error(errors.New(value)))
		checkLines(t, out.String(), 1)
		if asJSON && !json.Valid(out.Bytes()) {
			t.Errorf("no JSON: %s", out.String())
		}
	})
}
