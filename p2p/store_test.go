package p2p_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"dchat/p2p"
	"dchat/p2p/addr"
)

// A node that is killed loses what it came to know in the last minutes, not in all its life.
func TestTheHostListIsSavedEveryTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "hostlist")
		n := startNode(t, memory(), func(s *p2p.Settings) { s.Hostlist = file })
		for i, known := range []string{"tcp://127.0.0.1:1/", "tcp://127.0.0.1:2/"} {
			n.Hosts().Answered(addr.MustParse(known))
			<-time.After(10 * time.Minute)
			synctest.Wait()
			text, err := os.ReadFile(file)
			if err != nil || strings.Count(string(text), "\n") != i+1 || !strings.Contains(string(text), known) {
				t.Errorf("after %d minutes the file has %q, %v; want %s in it", 10*(i+1), text, err, known)
			}
		}
	})
}

func TestTheDatastoreIsMadeForItsOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "darkfi", "node")
	startNode(t, memory(), func(s *p2p.Settings) { s.Datastore = dir })
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() || info.Mode().Perm() != 0o700 {
		t.Errorf("there is %v, %v; want a directory of mode 0700", info, err)
	}
}

// D3: a node works without a disk, and says so.
func TestD3ANodeStartsWithoutItsFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		none := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(none, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		n := startNode(t, memory(), func(s *p2p.Settings) {
			s.Datastore, s.Hostlist = filepath.Join(none, "data"), filepath.Join(none, "hostlist")
		})
		n.greeted().Alive()
		n.Hosts().Answered(addr.MustParse("tcp://127.0.0.1:1"))
		n.stop()
		for _, want := range []string{"Cannot make the datastore", "Cannot read the host list", "Cannot save the host list"} {
			if got := n.logs.FilterLevelExact(zap.WarnLevel).FilterMessageSnippet(want).Len(); got != 1 {
				t.Errorf("%d warnings %q, want 1", got, want)
			}
		}
	})
}

func TestANodeThatListensNowhereSaysSo(t *testing.T) {
	for _, inbound := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			n := startNode(t, memory(), func(s *p2p.Settings) {
				if !inbound {
					s.Inbound = nil
				}
			})
			said := n.logs.FilterMessage("Not configured for accepting incoming connections.").FilterLevelExact(zap.InfoLevel).Len() == 1
			if said == inbound {
				t.Errorf("it listens: %v, and says that it does not: %v", inbound, said)
			}
		})
	}
}
