package stdlog

import (
	"bytes"
	"log"
	"testing"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhatLibrariesSayIsAtDebugUntilItIsRestored(t *testing.T) {
	var before bytes.Buffer
	defer log.SetOutput(log.Writer())
	defer log.SetFlags(log.Flags())
	defer log.SetPrefix(log.Prefix())
	log.SetOutput(&before)
	log.SetFlags(0)
	log.SetPrefix("> ")

	seen, lines := observer.New(zapcore.DebugLevel)
	restore := Redirect(zap.New(seen))
	log.Printf("a warning")
	if got := lines.All(); len(got) != 1 || got[0].Message != "a warning" || got[0].Level != zapcore.DebugLevel || got[0].LoggerName != "std" {
		t.Errorf("logged: %+v", got)
	}
	restore()
	log.Printf("another")
	if lines.Len() != 1 || before.String() != "> another\n" {
		t.Errorf("after it: %d lines in the log, and %q where it was before", lines.Len(), before.String())
	}
}
