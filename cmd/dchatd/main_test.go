package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// dchatd is the program under test, built once; under the race detector if the tests are.
var dchatd string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "dchatd-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	dchatd = filepath.Join(dir, "dchatd")
	build := exec.Command("go", "build", "-buildvcs=false", fmt.Sprintf("-race=%v", underRace), "-o", dchatd, ".")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building dchatd:", err)
		_ = os.RemoveAll(dir)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}
