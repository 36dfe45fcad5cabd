package logfx

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func TestFloodIsBoundedAndCounted(t *testing.T) {
	var out bytes.Buffer
	log, _, clock := logTo(t, &out, DefaultSettings())
	const seconds, perSecond = 60, 1000
	for range seconds {
		for i := range perSecond {
			log.Warn(fmt.Sprint("kind ", i%50), zap.String("addr", strings.Repeat("x", 4000)))
		}
		clock.now = clock.now.Add(time.Second)
	}
	lines := strings.Count(out.String(), "\n")
	if lines > seconds*100 || lines < seconds*10 {
		t.Errorf("%d lines in %d seconds, want at most 100 a second and more than a few", lines, seconds)
	}
	if out.Len() > 1<<20 {
		t.Errorf("%d bytes in a minute, want at most 1 MiB", out.Len())
	}
}

func TestEveryLineIsWrittenOrCounted(t *testing.T) {
	var out bytes.Buffer
	log, handle, clock := logTo(t, &out, DefaultSettings())
	const said = 1000
	for range said {
		log.Info("again")
	}
	clock.now = clock.now.Add(time.Second)
	log.Info("calm")
	for range said {
		log.Info("once more")
	}
	if err := handle.Logger.Sync(); err != nil {
		t.Fatal(err)
	}
	missed, written := 0, strings.Count(out.String(), "again")+strings.Count(out.String(), "once more")
	for line := range strings.Lines(out.String()) {
		if _, count, ok := strings.Cut(line, "too many log lines, some were left out count="); ok {
			n := 0
			if _, err := fmt.Sscan(count, &n); err != nil {
				t.Fatal(err)
			}
			missed += n
		}
	}
	if written+missed != 2*said || missed == 0 {
		t.Errorf("%d written and %d counted of %d", written, missed, 2*said)
	}
}

func TestOneLoudMessageDoesNotHideTheOthers(t *testing.T) {
	var out bytes.Buffer
	log, _, _ := logTo(t, &out, DefaultSettings())
	for range 5000 {
		log.Warn("loud")
	}
	log.Info("quiet")
	if !strings.Contains(out.String(), "quiet") {
		t.Error("the quiet message is missing")
	}
}

func TestFloodDoesNotHideErrors(t *testing.T) {
	var out bytes.Buffer
	log, _, _ := logTo(t, &out, Settings{Format: Console, Level: zapcore.DebugLevel})
	for i := range 5000 {
		log.Debug(fmt.Sprint("d", i))
		log.Warn(fmt.Sprint("w", i))
	}
	log.Error("disk full")
	if !strings.Contains(out.String(), "disk full") {
		t.Error("the error is missing")
	}
}

func TestClockThatGoesBackDoesNotSilenceTheLog(t *testing.T) {
	var out bytes.Buffer
	log, _, clock := logTo(t, &out, DefaultSettings())
	for range 1000 {
		log.Info("m")
	}
	clock.now = clock.now.Add(-time.Hour)
	log.Info("earlier")
	if !strings.Contains(out.String(), "earlier") {
		t.Error("nothing is logged after the clock went back")
	}
}
