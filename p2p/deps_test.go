package p2p_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestTheLibraryNeedsNoFramework keeps dependency injection and configuration out
// of what others embed, and the layers in their order.
func TestTheLibraryNeedsNoFramework(t *testing.T) {
	for pattern, forbidden := range map[string][]string{
		"dchat/p2p/...":  {"go.uber.org/fx", "go.uber.org/dig", "github.com/knadh/koanf", "dchat/chat", "dchat/modules", "dchat/app"},
		"dchat/chat/...": {"go.uber.org/fx", "go.uber.org/dig", "github.com/knadh/koanf", "dchat/modules", "dchat/app"},
		"dchat/p2p/wire": {"os/exec", "go.uber.org/zap", "dchat/p2p/transport", "dchat/p2p/channel"},
	} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", pattern).Output()
		if err != nil {
			t.Fatalf("go list -deps %s: %v", pattern, err)
		}
		deps := strings.Fields(string(out))
		if len(deps) < 20 {
			t.Fatalf("go list -deps %s printed %d packages only", pattern, len(deps))
		}
		for _, dep := range deps {
			for _, f := range forbidden {
				if dep == f || strings.HasPrefix(dep, f+"/") {
					t.Errorf("%s depends on %s", pattern, dep)
				}
			}
		}
	}
}
