package main_test

import (
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"dchat/cmd/internal/proc"
)

// logLine is a line of the console log.
var logLine = regexp.MustCompile(`^(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\.\d{3} (DEBUG|INFO|WARN|ERROR) `)

// taken holds a port of 127.0.0.1 until the test ends.
func taken(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// What keeps the daemon from starting is told in one line: what, where, and what to do. It ends
// with status 1 and leaves nothing behind.
func TestStartFailures(t *testing.T) {
	busy := taken(t)
	tooLong := strings.Repeat("a", 64) + ".invalid" // no resolver has to be asked about this name
	occupied := filepath.Join(proc.NewHome(t), "file")
	proc.WriteFile(t, occupied, "precious")
	for name, c := range map[string]struct {
		setup
		says []string
	}{
		"inbound port in use": {
			setup{accept: "tcp://" + busy},
			[]string{"tcp://" + busy + "/", "address already in use", "stop the program", "--accept"},
		},
		"inbound port in use, TLS": {
			setup{accept: "tcp+tls://" + busy},
			[]string{"tcp+tls://" + busy + "/", "address already in use", "stop the program", "--accept"},
		},
		"the second of two inbound addresses": {
			setup{accept: "tcp://127.0.0.1:0,tcp://" + busy},
			[]string{"tcp://" + busy + "/", "address already in use"},
		},
		"inbound address in a profile of the file": {
			setup{
				accept: "tcp://127.0.0.1:0", env: []string{"DCHAT_NET__INBOUND="}, bare: true, args: []string{"--rpc-listen", "tcp://127.0.0.1:0"},
				toml: "[net]\nactive_profiles = [\"tcp\"]\n[net.profiles.tcp]\ninbound = [\"tcp://" + busy + "\"]\n",
			},
			[]string{"tcp://" + busy + "/", "address already in use", "net.profiles.tcp.inbound", "dchatd_config.toml"},
		},
		"inbound address of another machine": {
			setup{accept: "tcp://192.0.2.1:51554"},
			[]string{"tcp://192.0.2.1:51554/", "cannot assign requested address", "address of this machine", "--accept"},
		},
		"inbound host that does not resolve": {
			setup{accept: "tcp://" + tooLong + ":51554"},
			[]string{"tcp://" + tooLong + ":51554/", "no such host", "--accept"},
		},
		"RPC port in use": {
			setup{rpc: "tcp://" + busy},
			[]string{"JSON-RPC", "tcp://" + busy + "/", "address already in use", "stop it", "--rpc-listen"},
		},
		"RPC port in use, HTTP": {
			setup{rpc: "http+tcp://" + busy},
			[]string{"JSON-RPC", "http+tcp://" + busy, "address already in use", "stop it", "--rpc-listen"},
		},
		"RPC address in the environment": {
			setup{bare: true, env: []string{"DCHAT_RPC__RPC_LISTEN=tcp://" + busy}},
			[]string{"JSON-RPC", "tcp://" + busy + "/", "DCHAT_RPC__RPC_LISTEN"},
		},
		"RPC host that does not resolve": {
			setup{rpc: "tcp://" + tooLong + ":51054"},
			[]string{"JSON-RPC", "tcp://" + tooLong + ":51054/", "no such host", "--rpc-listen"},
		},
		"RPC socket in no directory": {
			setup{rpc: "unix:///nowhere/to/be/found/rpc.sock"},
			[]string{"JSON-RPC", "unix:///nowhere/to/be/found/rpc.sock", "create its directory"},
		},
		"RPC socket where a file stands": {
			setup{rpc: "unix://" + occupied},
			[]string{"JSON-RPC", occupied, "choose another path"},
		},
		"log file in no directory": {
			setup{args: []string{"--log", "/nowhere/to/be/found/log"}},
			[]string{"log", "/nowhere/to/be/found/log", "no such file or directory", "--log"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := c.launch(t)
			if code := d.Exit(); code != 1 {
				t.Errorf("status %d, want 1", code)
			}
			d.complained(t, c.says...)
			if path, ok := d.RPC.FilePath(); ok && path != occupied && exists(path) {
				t.Error("the socket of the RPC was left behind")
			}
		})
	}
}

// A second daemon does not take over the socket of the first.
func TestSocketInUse(t *testing.T) {
	t.Parallel()
	first := setup{}.start(t)
	second := setup{rpc: first.RPC.String()}.launch(t)
	if code := second.Exit(); code != 1 {
		t.Errorf("status %d, want 1", code)
	}
	second.complained(t, first.RPC.String(), "another program listens there")
	if ask[string](first, "ping") != "pong" {
		t.Error("the first is not reached any more")
	}
}

// D7: two daemons do not share a list of addresses. The second says so and is gone within a second.
func TestD7HostListInUse(t *testing.T) {
	t.Parallel()
	list := filepath.Join(proc.NewHome(t), "hostlist.tsv")
	first := setup{args: []string{"--hostlist", list}}.start(t)
	took := quickest(func() {
		second := setup{args: []string{"--hostlist", list}}.launch(t)
		if code := second.Exit(); code != 1 {
			t.Errorf("status %d, want 1", code)
		}
		second.complained(t, list, "in use by another running node", "stop it", "--hostlist")
	})
	if took > time.Second && !proc.Race {
		t.Errorf("it took %v to end", took)
	}
	if ask[string](first, "ping") != "pong" {
		t.Error("the first is not reached any more")
	}
}

// complained checks that beside the log there is one line on standard error, the last one, and
// that it says all of these.
func (d *daemon) complained(t *testing.T, says ...string) {
	t.Helper()
	if d.Stdout() != "" {
		t.Errorf("on standard output: %q", d.Stdout())
	}
	lines := strings.SplitAfter(d.Stderr(), "\n")
	line := lines[len(lines)-2]
	if !strings.HasPrefix(line, "dchatd: ") {
		t.Errorf("the last line is %q", line)
	}
	for _, other := range lines[:len(lines)-2] {
		if !logLine.MatchString(other) {
			t.Errorf("also said: %q", other)
		}
	}
	for _, part := range says {
		if !strings.Contains(line, part) {
			t.Errorf("%q is not said in %q", part, line)
		}
	}
	if regexp.MustCompile(`\.go:\d|0x[0-9a-f]{6}|goroutine|fx\.|dig\.`).MatchString(line) {
		t.Errorf("only a programmer understands %q", line)
	}
}
