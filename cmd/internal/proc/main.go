// Package proc runs the programs as processes, for their tests.
package proc

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Patience bounds every wait for something that has to happen, on a machine that may be slow.
const Patience = 20 * time.Second

// programs is the directory of the programs; Main sets it before any test runs.
var programs string

// Main builds the programs, under the race detector if the tests are, and runs the tests of a
// package, which must leave no goroutine behind. It is all that TestMain has to do, and does not return.
func Main(m *testing.M) {
	var err error
	if programs, err = build(); err != nil {
		fmt.Fprintln(os.Stderr, "building the programs:", err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(programs)
		os.Exit(code)
	}))
}

// build puts the programs into a new directory.
func build() (dir string, err error) {
	dir, err = os.MkdirTemp("", "dchat-programs")
	if err != nil {
		return "", err
	}
	build := exec.CommandContext(context.Background(), "go", "build", "-buildvcs=false", //nolint:gosec // nothing from outside
		fmt.Sprintf("-race=%v", Race), "-o", dir, "dchat/cmd/dchatd", "dchat/cmd/lilith")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		_ = os.RemoveAll(dir)
		return "", err
	}
	return dir, nil
}
