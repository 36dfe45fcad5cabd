package proc

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestThePackagesForTestsAreInNoProgram holds for this one and for all others: they need testing.
func TestThePackagesForTestsAreInNoProgram(t *testing.T) {
	for _, program := range []string{"dchat/cmd/dchat", "dchat/cmd/dchatd", "dchat/cmd/lilith"} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", program).Output()
		if err != nil {
			t.Fatalf("go list -deps %s: %v", program, err)
		}
		deps := strings.Fields(string(out))
		if !slices.Contains(deps, "dchat/p2p") {
			t.Fatalf("go list -deps %s leaves out what it does depend on", program)
		}
		if slices.Contains(deps, "testing") {
			t.Errorf("%s has code for tests in it", program)
		}
	}
}
