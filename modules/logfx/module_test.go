package logfx

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func stderr(w io.Writer) fx.Option {
	return fx.Supply(fx.Annotate(w, fx.As(new(io.Writer)), fx.ResultTags(`name:"stderr"`)))
}

func TestModuleLogsToStderr(t *testing.T) {
	var out bytes.Buffer
	var log *zap.Logger
	var level zap.AtomicLevel
	app := fxtest.New(t, Module, fx.Supply(DefaultSettings()), stderr(&out), fx.Populate(&log, &level))
	app.RequireStart()
	log.Debug("hidden")
	level.SetLevel(zapcore.DebugLevel)
	log.Debug("shown")
	app.RequireStop()
	if got := out.String(); !strings.Contains(got, "shown") || strings.Contains(got, "hidden") {
		t.Errorf("got %q", got)
	}
}

func TestFileGetsEveryLineBeforeDuringAndAfterTheRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dchatd.log")
	var errOut bytes.Buffer
	var log *zap.Logger
	for _, run := range []string{"first", "second"} { // the second run appends
		app := fxtest.New(t, Module, fx.Supply(Settings{Format: Console, File: path}), stderr(&errOut), fx.Populate(&log))
		log.Info(run + " before")
		app.RequireStart()
		log.Info(run + " during")
		app.RequireStop()
		log.Info(run + " after")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, want := range []string{"first before", "first during", "first after", "second before", "second during", "second after"} {
		i := strings.Index(string(text[at:]), want)
		if i < 0 {
			t.Fatalf("%q is missing or out of order in %s", want, text)
		}
		at += i
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v), want 0600", info.Mode(), err)
	}
	if errOut.Len() > 0 {
		t.Errorf("also on stderr: %s", errOut.String())
	}
}

func TestNoDescriptorIsHeldAfterStop(t *testing.T) {
	log, err := New(Settings{Format: JSON, File: filepath.Join(t.TempDir(), "log")}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	log.Logger.Info("opens the file")
	if err := log.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	log.Logger.Info("opens and closes it")
	if log.out.file != nil {
		t.Error("the file is open")
	}
}

func TestFileThatCannotBeOpenedFailsTheStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "log")
	var out bytes.Buffer
	var log *zap.Logger
	app := fx.New(Module, fx.Supply(Settings{Format: Console, File: path}), stderr(&out), fx.Populate(&log), fx.NopLogger)
	err := app.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error that names %s", err, path)
	}
	log.Info("still said")
	if !strings.Contains(out.String(), "still said") {
		t.Error("a line for a file that does not open is not on stderr")
	}
}

func TestLoggerCanBeReplaced(t *testing.T) {
	seen, lines := observer.New(zapcore.InfoLevel)
	app := fxtest.New(t, Module, fx.Supply(DefaultSettings()), fx.Replace(zap.New(seen)),
		fx.Invoke(func(log *zap.Logger) { log.Info("hello") }))
	app.RequireStart().RequireStop()
	if lines.FilterMessage("hello").Len() != 1 {
		t.Error("the replacement got nothing")
	}
}

func TestUnknownFormatFailsTheApplication(t *testing.T) {
	app := fx.New(Module, fx.Supply(Settings{Format: "xml"}), fx.Invoke(func(*zap.Logger) {}), fx.NopLogger)
	if app.Err() == nil {
		t.Error("taken")
	}
}
