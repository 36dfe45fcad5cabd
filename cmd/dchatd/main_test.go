package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// The program under test and the seed of its networks, built once; under the race detector if the
// tests are.
var dchatd, lilith string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "dchatd-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	dchatd, lilith = filepath.Join(dir, "dchatd"), filepath.Join(dir, "lilith")
	build := exec.Command("go", "build", "-buildvcs=false", fmt.Sprintf("-race=%v", underRace), "-o", dir, ".", "../lilith")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building the programs:", err)
		_ = os.RemoveAll(dir)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}
