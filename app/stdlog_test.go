package app

import (
	"context"
	"log"
	"strings"
	"testing"

	"go.uber.org/fx"
	"go.uber.org/zap/zapcore"

	"dchat/app/internal/apptest"
)

// Libraries such as the one for QUIC warn of what a user cannot make sense of.
func TestWhatLibrariesSayIsNotInTheDaemonsLog(t *testing.T) {
	const said = "failed to increase a buffer"
	for level, want := range map[zapcore.Level]string{zapcore.InfoLevel: "", zapcore.DebugLevel: "std: " + said} {
		t.Run(level.String(), func(t *testing.T) {
			elsewhere := apptest.NewOutput()
			defer log.SetOutput(log.Writer())
			log.SetOutput(elsewhere)
			loaded := configured(at(alice))
			loaded.Log.Level = level
			begun := make(chan struct{})
			p := launchWith(t, loaded, fx.Supply(memory()), onStart(func(context.Context) error {
				log.Print(said)
				close(begun)
				return nil
			}))
			<-begun
			p.End()
			p.WantExit(0)
			if got := p.log.String(); strings.Contains(got, said) != (want != "") || !strings.Contains(got, want) {
				t.Errorf("the log is\n%s", got)
			}
			log.Print("after it")
			if got := elsewhere.String(); !strings.HasSuffix(got, " after it\n") || strings.Contains(got, said) {
				t.Errorf("where it was before there is %q", got)
			}
		})
	}
}
