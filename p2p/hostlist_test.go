package p2p_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
)

// notebook is the host list file of a node.
type notebook struct {
	path string
	seen int64 // what it says in the beginning of when an address was seen last
}

// newNotebook makes a host list in which one address has a colour and was seen an hour
// ago. It holds another one that is neither dialled nor told, since an empty list is
// not written.
func newNotebook(t *testing.T, colour string, a addr.Addr) notebook {
	t.Helper()
	now := time.Now().Unix()
	n := notebook{path: filepath.Join(t.TempDir(), "hostlist"), seen: now - 3600}
	lines := fmt.Sprintf("%s\t%s\t%d\ndark\tquic://127.0.0.1:1/\t%d\n", colour, a, n.seen, now)
	if err := os.WriteFile(n.path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	return n
}

// keep makes a node use the host list.
func (n notebook) keep(s *p2p.Settings) { s.Hostlist = n.path }

// says returns the colour of an address in the file and whether it was seen since
// the beginning, in the words of the recordings; "" when it is not in there.
func (n notebook) says(t *testing.T, a addr.Addr) string {
	t.Helper()
	b, err := os.ReadFile(n.path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		colour, rest, _ := strings.Cut(strings.TrimSpace(line), "\t")
		switch url, seen, _ := strings.Cut(rest, "\t"); {
		case url != a.String():
		case seen == fmt.Sprint(n.seen):
			return colour + " (last_seen as before)"
		default:
			return colour + " (last_seen new)"
		}
	}
	return ""
}

// utmost is a source of chance by which everything takes as long as it can.
type utmost struct{}

// Uint64 implements rand.Source.
func (utmost) Uint64() uint64 { return ^uint64(0) }

// wantBans checks who is banned: hosts, or single addresses.
func (n *node) wantBans(want ...string) {
	n.t.Helper()
	var got []string
	for _, b := range n.Hosts().Bans() {
		got = append(got, b.Host)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		n.t.Errorf("banned are %q, want %q", got, want)
	}
}
