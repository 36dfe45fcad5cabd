package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"dchat/chat"
	"dchat/cmd/internal/proc"
	"dchat/p2p/p2ptest"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// evil is a text that does to a terminal, or to a reader of the log, what it should not.
const evil = "\x1b[2J\x1b]0;owned\x07\r\n12:00:00.000 INFO  all is well\x00\u202e\u2066\u0085\u200b\ufeff\x7f"

// unprintable lists the characters of a text that a terminal may obey, but for line ends.
func unprintable(text string) string {
	var bad strings.Builder
	for _, r := range text {
		if r != '\n' && (!unicode.IsPrint(r) || r == unicode.ReplacementChar) {
			fmt.Fprintf(&bad, "%U ", r)
		}
	}
	return bad.String()
}

// misbehave is all that strangers can say to a daemon, each in an evil way.
func misbehave(t *testing.T, d *daemon) {
	t.Helper()
	stranger := func() *p2ptest.Peer { return p2ptest.Dial(t, transport.Default(), d.addr()) }
	end := func(p *p2ptest.Peer) { p.Closed(); p.Close(false) }

	p := stranger()
	p.Greet()
	p.Write(p.RawFrame("command "+evil, nil))
	end(p)
	p = stranger()
	p.Greet()
	p.Write(p.RawFrame("bytes \xff\xfe\x1b", nil))
	end(p)
	p = stranger()
	p.Verack.AppName = "name " + evil[:40]
	p.Send(&p.Version, &p.Verack)
	end(p)
	p = stranger()
	p.Send(&p.Version)
	p.Write(p.RawFrame("verack", wire.AppendString(append(make([]byte, 24), 7), "prerel\x1b")))
	end(p)
	p = stranger()
	p.Write(p.RawFrame("version", append(wire.AppendString(nil, "node\x1b"), 0xff)))
	end(p)

	polite := stranger() // within the protocol, but every text in it is evil
	polite.Version.NodeID, polite.Version.AppName = evil, evil
	polite.Version.Features = []wire.Feature{{Name: evil, Version: 1}}
	polite.Greet()
	polite.Send(&chat.Message{Text: "text " + evil})
	d.received("text " + evil)
	polite.Close(true)

	d.refused(-32601, "method "+evil)
	d.refused(-32602, "send", map[string]any{evil: evil})
	d.refused(-32602, "chat.history", map[string]any{evil: 1})
	c := dialRPC(t, d.RPC)
	c.write("\x1b[31m\n")
	c.settled()
}

// No byte of a stranger's reaches the log as it is, whatever the format, the level and the place.
func TestStrangersDoNotWriteTheLog(t *testing.T) {
	for name, args := range map[string][]string{
		"console":             nil,
		"console, debug":      {"-v"},
		"console, more debug": {"-vv"},
		"json":                {"--log-format", "json"},
		"json, debug":         {"--log-format", "json", "-v"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := strings.ReplaceAll(evil, "\x00", "") // which no argument can hold
			d := setup{args: append(args, "--rpc-disabled-methods", "disabled "+raw)}.start(t)
			misbehave(t, d)
			d.Stop()
			log := d.Stderr()
			if bad := unprintable(log); bad != "" {
				t.Errorf("raw characters %s", bad)
			}
			for _, said := range []string{"command ", "name ", "disabled ", "owned"} {
				if !strings.Contains(log, said) {
					t.Errorf("nothing was logged of %q", said)
				}
			}
			for line := range strings.Lines(log) {
				isJSON := json.Valid([]byte(line))
				if inJSON := strings.HasPrefix(name, "json"); isJSON != inJSON || !inJSON && !logLine.MatchString(line) || strings.HasPrefix(line, "12:00:00") {
					t.Errorf("not a line of the log: %q", line)
				}
			}
			if debug := strings.Contains(log, "DEBUG") || strings.Contains(log, `"level":"debug"`); debug != strings.HasSuffix(name, "debug") {
				t.Errorf("debug lines: %v", debug)
			}
		})
	}
}

// With --log all of it goes to a file of the user's own, to which later runs add.
func TestLogFile(t *testing.T) {
	t.Parallel()
	home := proc.NewHome(t)
	file := filepath.Join(home, "dchatd.log")
	s := setup{home: home, args: []string{"-l", file}}
	for range 2 {
		d := s.launch(t)
		ask[string](d, "ping")
		d.Stop()
		if said := d.Stderr(); said != "" {
			t.Errorf("on standard error: %q", said)
		}
	}
	log, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if runs := strings.Count(string(log), "Shut down successfully"); runs != 2 || unprintable(string(log)) != "" {
		t.Errorf("%d runs in\n%s", runs, log)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
