package p2p_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"dchat/p2p"
	"dchat/p2p/addr"
)

func TestTheKeyThatOutlastsANodeOverQUIC(t *testing.T) {
	kept := bytes.Repeat([]byte{7}, 32)
	write := func(content []byte) func(string) error {
		return func(file string) error { return os.WriteFile(file, content, 0o600) }
	}
	for _, c := range []struct {
		name   string
		before func(file string) error
		change func(*p2p.Settings)
		same   bool   // the file is as it was
		warns  string // in the log; "" is nothing
	}{
		{name: "the first start"},
		{name: "another start", before: write(kept), same: true},
		{name: "a file that is too short", before: write(kept[1:]), warns: "another takes its place"},
		{name: "a file that is too long", before: write(append(kept, 7)), warns: "another takes its place"},
		{name: "a directory", before: func(file string) error { return os.MkdirAll(filepath.Join(file, "in it"), 0o700) }, same: true, warns: "Cannot keep the key"},
		{name: "another scheme", same: true, change: func(s *p2p.Settings) {
			s.ActiveProfiles, s.Inbound = []string{addr.TCP}, []addr.Addr{addr.MustParse("tcp://127.0.0.1:0")}
		}},
		{name: "no datastore", same: true, change: func(s *p2p.Settings) { s.Datastore = "" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "of the node")
			file := filepath.Join(dir, "quic.key")
			if c.before != nil {
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				if err := c.before(file); err != nil {
					t.Fatal(err)
				}
			}
			before, errBefore := os.ReadFile(file)
			n := startNode(t, nil, func(s *p2p.Settings) {
				s.ActiveProfiles, s.Inbound, s.Datastore = []string{addr.QUIC}, []addr.Addr{addr.MustParse("quic://127.0.0.1:0")}, dir
				if c.change != nil {
					c.change(s)
				}
			})
			after, errAfter := os.ReadFile(file)
			if c.same {
				if !bytes.Equal(before, after) || (errBefore == nil) != (errAfter == nil) {
					t.Errorf("it was %x (%v), and now %x (%v)", before, errBefore, after, errAfter)
				}
			} else {
				info, err := os.Stat(file)
				if err != nil || info.Mode() != fs.FileMode(0o600) {
					t.Fatalf("the file is %v (%v)", info, err)
				}
				if len(after) != 32 || bytes.Equal(after, make([]byte, 32)) || bytes.Equal(after, kept) {
					t.Errorf("the key is %x", after)
				}
			}
			if left, _ := filepath.Glob(file + ".*"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			var warned []string
			for _, e := range n.logs.Filter(func(e observer.LoggedEntry) bool {
				return e.Level >= zap.WarnLevel && strings.Contains(e.Message, "key")
			}).All() {
				warned = append(warned, e.Message)
			}
			if all := strings.Join(warned, "\n"); (c.warns == "") != (all == "") || !strings.Contains(all, c.warns) {
				t.Errorf("warned: %q, want %q", all, c.warns)
			}
		})
	}
}

// Two nodes that share a directory share the key.
func TestTheKeyForQUICIsSharedWithWhoSharesTheDatastore(t *testing.T) {
	dir := t.TempDir()
	var keys [2][]byte
	for i := range keys {
		startNode(t, nil, func(s *p2p.Settings) {
			s.ActiveProfiles, s.Inbound, s.Datastore = []string{addr.QUIC}, []addr.Addr{addr.MustParse("quic://127.0.0.1:0")}, dir
		})
		key, err := os.ReadFile(filepath.Join(dir, "quic.key"))
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = key
	}
	if !bytes.Equal(keys[0], keys[1]) {
		t.Errorf("the second replaced it")
	}
}
