// Package stdlog puts in order what libraries say through the standard log package, which
// the programs do not use themselves and whose words would stand in the middle of theirs.
package stdlog

import (
	"log"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Redirect turns the lines of the standard logger into debug lines of l, until restore
// is called, which makes it what it was. Of several at a time the last one has the
// lines.
func Redirect(l *zap.Logger) (restore func()) {
	before := log.Writer()
	undo, err := zap.RedirectStdLogAt(l.Named("std"), zapcore.DebugLevel)
	if err != nil { // only for a level that does not exist
		return func() {}
	}
	return func() {
		undo()
		log.SetOutput(before) // which zap takes to be standard error
	}
}
