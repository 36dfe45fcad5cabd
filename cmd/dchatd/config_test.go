package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dchat/cmd/internal/proc"
)

// run runs dchatd with just these arguments until it ends by itself.
func run(t *testing.T, s setup, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	s.bare, s.args = true, args
	d := s.launch(t)
	code = d.Exit()
	return code, d.Stdout(), d.Stderr()
}

// A configuration that is wrong starts nothing: status 2, and a line for each fault that names the
// file, the key, the value and what was expected.
func TestWrongConfiguration(t *testing.T) {
	for name, c := range map[string]struct {
		toml string
		line int
		says []string
	}{
		"unknown key":                        {"[net]\noutbound_conections = 3\n", 2, []string{"net.outbound_conections", "unknown key", "net.outbound_connections"}},
		"unknown table":                      {"[nett]\nlocalnet = true\n", 1, []string{"nett", "unknown table", "net"}},
		"key of another table":               {"[rpc]\nlocalnet = true\n", 2, []string{"rpc.localnet", "unknown key"}},
		"text for a number":                  {"[net]\noutbound_connections = \"three\"\n", 2, []string{"net.outbound_connections", `"three"`, "number"}},
		"number for a text":                  {"[net]\nhostlist = 3\n", 2, []string{"net.hostlist", "3", "text"}},
		"number out of range":                {"[net]\noutbound_connections = -1\n", 2, []string{"net.outbound_connections", "-1", "0 to 1024"}},
		"text for a list":                    {"[net]\npeers = \"tcp://127.0.0.1:1\"\n", 2, []string{"net.peers", "list"}},
		"bad address":                        {"[net]\n\npeers = [\"127.0.0.1:1\"]\n", 3, []string{"net.peers", `"127.0.0.1:1"`, "tcp://host:port"}},
		"address without a port":             {"[net]\ninbound = [\"tcp://127.0.0.1\"]\n", 2, []string{"net.inbound", "tcp://127.0.0.1", "port"}},
		"scheme not to listen on":            {"[net]\ninbound = [\"gopher://127.0.0.1:1\"]\n", 2, []string{"net.inbound", "gopher"}},
		"listen where one only dials":        {"[net]\ninbound = [\"socks5://127.0.0.1:1/127.0.0.1:2\"]\n", 2, []string{"net.inbound", "socks5://127.0.0.1:1/127.0.0.1:2", "listen on one of", "tcp+tls", "unix"}},
		"quic without a port":                {"[net]\npeers = [\"quic://127.0.0.1\"]\n", 2, []string{"net.peers", "quic://127.0.0.1", "host:port"}},
		"quic profile without its table":     {"[net]\nactive_profiles = [\"quic\"]\n", 2, []string{"net.active_profiles", `"quic"`, `[net.profiles."quic"]`}},
		"unix path that is relative":         {"[net]\npeers = [\"unix:bob.sock\"]\n", 2, []string{"net.peers", "unix:bob.sock", "unix:///absolute/path"}},
		"unix path that is taken for a host": {"[net]\ninbound = [\"unix://run/bob.sock\"]\n", 2, []string{"net.inbound", "unix://run/bob.sock", "host", "unix:///absolute/path"}},
		"unix path that is too long":         {"[net]\ninbound = [\"unix:///" + strings.Repeat("x", 120) + "\"]\n", 2, []string{"net.inbound", "unix:///xxx", "too long", "121 bytes", "107"}},
		"unix socket told to others":         {"[net]\ninbound = [\"unix:///x\"]\nexternal_addrs = [\"unix:///x\"]\n", 3, []string{"net.external_addrs", "unix:///x", "leave it out"}},
		"socks5 without a destination":       {"[net]\npeers = [\"socks5://alice:sesame@127.0.0.1:9050\"]\n", 2, []string{"net.peers", "socks5://127.0.0.1:9050/", "socks5://proxy:port/destination:port"}},
		"socks5 without the proxy's port":    {"[net]\npeers = [\"socks5://alice:sesame@127.0.0.1/bob.example:1\"]\n", 2, []string{"net.peers", "socks5://127.0.0.1/bob.example:1", "port"}},
		"socks5 with a port too high":        {"[net]\npeers = [\"socks5://alice:sesame@127.0.0.1:99999/bob.example:1\"]\n", 2, []string{"net.peers", "127.0.0.1:99999/bob.example:1", "port"}},
		"proxy with a destination":           {"[net]\ntor_socks5_proxy = \"socks5://alice:sesame@127.0.0.1:9050/bob.example:1\"\n", 2, []string{"net.tor_socks5_proxy", "socks5://127.0.0.1:9050/bob.example:1", "socks5://user:password@host:port"}},
		"onion name with a slip":             {"[net]\npeers = [\"tor://2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wix.onion:1\"]\n", 2, []string{"net.peers", "wix.onion:1", "checksum"}},
		"host that is not of I2P":            {"[net]\npeers = [\"i2p://bob.example:1\"]\n", 2, []string{"net.peers", "i2p://bob.example:1", ".b32.i2p"}},
		"proxy of another kind":              {"[net]\ntor_socks5_proxy = \"http://alice:sesame@127.0.0.1:9050\"\n", 2, []string{"net.tor_socks5_proxy", "http://127.0.0.1:9050/", "socks5://user:password@host:port"}},
		"missing profile table":              {"[net]\nactive_profiles = [\"tor\"]\n", 2, []string{"net.active_profiles", `"tor"`, `[net.profiles."tor"]`}},
		"magic of the wrong size":            {"[net]\nmagic_bytes = [1, 2, 3]\n", 2, []string{"net.magic_bytes", "[1, 2, 3]", "four numbers"}},
		"magic byte out of range":            {"[net]\nmagic_bytes = [1, 2, 3, 256]\n", 2, []string{"net.magic_bytes", "256"}},
		"bad RPC address":                    {"[rpc]\nrpc_listen = \"quic://127.0.0.1:1\"\n", 2, []string{"rpc.rpc_listen", "quic://127.0.0.1:1", "unix"}},
		"not TOML":                           {"[net\nlocalnet = true\n", 1, []string{"not TOML"}},
		"hostile bytes in a value":           {"[net]\nban_policy = \"\\u001b[31m\\u202e\"\n", 2, []string{"net.ban_policy", "strict", "relaxed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup{home: proc.NewHome(t), toml: c.toml}
			place := fmt.Sprintf("%s:%d: ", configFile(s.home), c.line)
			for _, args := range [][]string{nil, {"config", "check"}, {"config", "show"}} {
				code, stdout, stderr := run(t, s, args...)
				if code != 2 || stdout != "" {
					t.Errorf("%q: status %d, on standard output %q", args, code, stdout)
				}
				if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "dchatd: "+place) {
					t.Errorf("%q: said %q, want one line of %s", args, stderr, place)
				}
				fault := strings.TrimPrefix(stderr, "dchatd: "+place)
				for _, part := range c.says {
					if !strings.Contains(fault, part) {
						t.Errorf("%q: %q is not said in %q", args, part, stderr)
					}
				}
				if bad := unprintable(stderr); bad != "" {
					t.Errorf("%q: raw characters %s", args, bad)
				}
				if strings.Contains(stderr, secret) {
					t.Errorf("%q: a password is shown in %q", args, stderr)
				}
			}
			if exists(filepath.Join(s.home, ".local")) {
				t.Error("something was started: there are files of the node")
			}
		})
	}
}

// All faults are told at once.
func TestEveryFaultIsTold(t *testing.T) {
	t.Parallel()
	s := setup{toml: "[net]\nlocalnet = 1\npeers = [\"x\"]\nfoo = 1\n", env: []string{"DCHAT_NET__BAR=1"}}
	code, _, stderr := run(t, s, "--outbound-slots", "many")
	if code != 2 || strings.Count(stderr, "\n") != 5 {
		t.Errorf("status %d, said\n%s", code, stderr)
	}
	for _, part := range []string{":2: net.localnet", ":3: net.peers", ":4: net.foo", "DCHAT_NET__BAR", "--outbound-slots"} {
		if !strings.Contains(stderr, part) {
			t.Errorf("%s is not said in\n%s", part, stderr)
		}
	}
}

// The first run writes the configuration file, says where, and runs.
func TestFirstRun(t *testing.T) {
	t.Parallel()
	s := setup{home: proc.NewHome(t)}
	d := s.start(t)
	file := configFile(s.home)
	d.Logged("Wrote a configuration file with the defaults file=" + regexp.QuoteMeta(file))
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	d.Stop()

	again := s.start(t)
	if strings.Contains(again.Stderr(), "Wrote") {
		t.Error("the second run wrote it again")
	}
	if now, err := os.ReadFile(file); err != nil || string(now) != string(written) {
		t.Errorf("the file was changed: %v", err)
	}

	elsewhere := filepath.Join(s.home, "new", "my.toml")
	setup{args: []string{"--config", elsewhere}}.start(t)
	if now, err := os.ReadFile(elsewhere); err != nil || string(now) != string(written) {
		t.Errorf("--config did not write the same file: %v", err)
	}
	if code, _, stderr := run(t, setup{}, "config", "check", "--config", "/no/such/file"); code != 2 || !strings.Contains(stderr, "/no/such/file: there is no such file") {
		t.Errorf("checking a file that is missing: status %d, %q", code, stderr)
	}
}

// A flag overrides the environment, which overrides the file, which overrides the defaults; config
// show tells each value and its origin, and config check only whether all is well.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	s := setup{
		home: proc.NewHome(t),
		toml: "verbose = 1\n[net]\nactive_profiles = [\"tcp\"]\noutbound_connections = 1\ninbound_connections = 2\ngetaddrs_max = 3\n[net.profiles.tcp]\n",
		env:  []string{"DCHAT_NET__OUTBOUND_CONNECTIONS=4", "DCHAT_NET__INBOUND_CONNECTIONS=5"},
	}
	code, stdout, stderr := run(t, s, "config", "show", "--outbound-slots", "6")
	if code != 0 || stderr != "" {
		t.Errorf("status %d, %q", code, stderr)
	}
	shows(t, stdout, "outbound_connections = 6", "flag --outbound-slots")
	shows(t, stdout, "inbound_connections = 5", "env DCHAT_NET__INBOUND_CONNECTIONS")
	shows(t, stdout, "getaddrs_max = 3", "file line 6")
	shows(t, stdout, "known_peer_percent = 70", "default")

	code, stdout, stderr = run(t, s, "config", "check")
	if code != 0 || stdout != configFile(s.home)+" is valid\n" || !strings.Contains(stderr, "warning: ") || !strings.Contains(stderr, "verbose has no effect") {
		t.Errorf("status %d, %q, %q", code, stdout, stderr)
	}
	setup{home: s.home}.start(t).Logged("WARN .*verbose has no effect")
}

// shows checks that there is a line with that setting and that origin.
func shows(t *testing.T, shown, setting, origin string) {
	t.Helper()
	if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(setting) + ` +# ` + regexp.QuoteMeta(origin) + `$`).MatchString(shown) {
		t.Errorf("no line %q # %q in\n%s", setting, origin, shown)
	}
}

// Every flag of the reference is taken, with its value.
func TestFlags(t *testing.T) {
	t.Parallel()
	home := proc.NewHome(t)
	file := filepath.Join(home, "my.toml")
	proc.WriteFile(t, file, "[net]\n[net.profiles.tcp]\n[net.profiles.\"tcp+tls\"]\n")
	flags := []struct{ flag, value, setting string }{
		{"--log", "/tmp/x", `file = "/tmp/x"`},
		{"--rpc-listen", "tcp://127.0.0.1:7", `rpc_listen = "tcp://127.0.0.1:7/"`},
		{"--rpc-disabled-methods", "ping,recv", `rpc_disabled_methods = ["ping", "recv"]`},
		{"--accept", "tcp://127.0.0.1:8", `inbound = ["tcp://127.0.0.1:8/"]`},
		{"--outbound-slots", "9", "outbound_connections = 9"},
		{"--inbound-slots", "10", "inbound_connections = 10"},
		{"--external-addrs", "tcp://127.0.0.1:11", `external_addrs = ["tcp://127.0.0.1:11/"]`},
		{"--peers", "tcp://127.0.0.1:12,tcp+tls://127.0.0.1:13", `peers = ["tcp://127.0.0.1:12/", "tcp+tls://127.0.0.1:13/"]`},
		{"--seeds", "tcp://127.0.0.1:14", `seeds = ["tcp://127.0.0.1:14/"]`},
		{"--network-profiles", "tcp,tcp+tls", `active_profiles = ["tcp", "tcp+tls"]`},
		{"--mixed-profiles", "tor", `mixed_profiles = ["tor"]`},
		{"--tor-socks5-proxy", "socks5://127.0.0.1:15", `tor_socks5_proxy = "socks5://127.0.0.1:15/"`},
		{"--nym-socks5-proxy", "socks5://127.0.0.1:16", `nym_socks5_proxy = "socks5://127.0.0.1:16/"`},
		{"--i2p-socks5-proxy", "socks5://127.0.0.1:17", `i2p_socks5_proxy = "socks5://127.0.0.1:17/"`},
		{"--localnet", "", "localnet = true"},
		{"--p2p-datastore", "~/data", fmt.Sprintf("p2p_datastore = %q", home+"/data")},
		{"--hostlist", "~/hosts.tsv", fmt.Sprintf("hostlist = %q", home+"/hosts.tsv")},
		{"--disable-greys", "", "disable_greys = true"},
	}
	args := []string{"config", "show", "-c", file, "-vv"}
	for _, f := range flags {
		args = append(args, f.flag)
		if f.value != "" {
			args = append(args, f.value)
		}
	}
	code, stdout, stderr := run(t, setup{home: home}, args...)
	if code != 0 {
		t.Fatalf("status %d: %s", code, stderr)
	}
	for _, f := range flags {
		shows(t, stdout, f.setting, "flag "+f.flag)
	}
	shows(t, stdout, `level = "debug"`, "flag --verbose")
}

// What is no flag or command of the daemon's starts nothing.
func TestWrongUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--no-such-flag"}, {"-x"}, {"frobnicate"}, {"config", "frobnicate"}, {"config", "show", "extra"}, {"--peers"}, {"--config", ""}} {
		code, stdout, stderr := run(t, setup{}, args...)
		if code != 2 || stdout != "" || !strings.HasPrefix(stderr, "dchatd: ") {
			t.Errorf("%q: status %d, %q, %q", args, code, stdout, stderr)
		}
	}
	if code, stdout, stderr := run(t, setup{}, "--help"); code != 0 || stderr != "" || !strings.Contains(stdout, "Exit codes:") {
		t.Errorf("--help: status %d, %q, %q", code, stdout, stderr)
	}
}
