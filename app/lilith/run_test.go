package lilith

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dchat/app/internal/apptest"
)

func invoke(t *testing.T, args ...string) *apptest.Invocation {
	t.Helper()
	return apptest.Invoke(t, Run, args...)
}

func TestWhatEndsAtOnce(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for name, c := range map[string]struct {
		args           []string
		code           int
		stdout, stderr string // what is in them; "" for nothing at all
	}{
		"help":            {[]string{"--help"}, 0, "Exit codes:", ""},
		"version":         {[]string{"--version"}, 0, "lilith version ", ""},
		"show":            {[]string{"config", "show"}, 0, `accept_addrs = ["tcp://127.0.0.1:50515/"]`, ""},
		"check":           {[]string{"config", "check"}, 0, "the configuration that a first run writes is valid", ""},
		"unknown flag":    {[]string{"--accept", "tcp://h:1"}, 2, "", "lilith: unknown flag: --accept\nRun 'lilith --help'"},
		"argument":        {[]string{"nonsense"}, 2, "", `lilith: unknown command "nonsense"`},
		"wrong value":     {[]string{"--rpc-listen", "nonsense"}, 2, "", "lilith: --rpc-listen: rpc.rpc_listen"},
		"no such file":    {[]string{"config", "check", "--config", missing}, 2, "", "there is no such file"},
		"unknown command": {[]string{"config", "chekc"}, 2, "", `lilith: unknown command "chekc"`},
	} {
		t.Run(name, func(t *testing.T) {
			invoke(t, c.args...).Want(t, c.code, c.stdout, c.stderr)
		})
	}
}

func TestTheHelpNamesTheExitCodes(t *testing.T) {
	_, stdout, _ := invoke(t, "--help").Run(t)
	_, codes, _ := strings.Cut(stdout, "Exit codes:")
	codes, _, _ = strings.Cut(codes, "\n\n")
	if got := regexp.MustCompile(`\d+`).FindAllString(codes, -1); !slices.Equal(got, []string{"0", "1", "2", "3", "130"}) {
		t.Errorf("the help has the exit codes %q", got)
	}
}

func TestAFaultyFileStartsNothing(t *testing.T) {
	i := invoke(t).WithFile(t, "[network.x]\naccept_adrs = []\nmagic_bytes = [1]\n")
	code, stdout, stderr := i.Run(t)
	if code != 2 || stdout != "" || strings.Contains(stderr, "Starting") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	for _, want := range []string{"test.toml:1: network.x: accept_addrs is missing", "test.toml:2: network.x.accept_adrs: unknown key", "test.toml:3: network.x.magic_bytes = [1]:"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr is %q, want %q in it", stderr, want)
		}
	}
	if _, err := os.Stat(filepath.Join(i.Home, ".local")); err == nil {
		t.Error("there are files of a network")
	}
}

func TestAStartThatFailsSaysInOneLineWhatWhereAndWhatToDo(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	at := "tcp://" + taken.Addr().String()
	const rpc, free = "[rpc]\nrpc_listen = \"tcp://127.0.0.1:0\"\n", "[network.free]\naccept_addrs = [\"tcp://127.0.0.1:0\"]\nlocalnet = true\n"

	for name, c := range map[string]struct {
		file string
		args []string
		want string // with FILE for the name of the file
	}{
		"address in use": {
			file: rpc + free + "[network.busy]\naccept_addrs = [\"" + at + "\"]\nlocalnet = true\n",
			want: "cannot listen on " + at + ".*: bind: address already in use: stop the program that uses it \\(another lilith\\?\\), or take another port: change network.busy.accept_addrs in FILE",
		},
		"address of another machine": {
			file: rpc + free + "[network.far]\naccept_addrs = [\"tcp://192.0.2.1:0\"]\n",
			want: "cannot listen on tcp://192.0.2.1:0.*: take an address of this machine: change network.far.accept_addrs in FILE",
		},
		"RPC address": {
			file: free,
			args: []string{"--rpc-listen", at},
			want: "JSON-RPC: cannot listen on " + at + ".*: change --rpc-listen",
		},
	} {
		t.Run(name, func(t *testing.T) {
			i := invoke(t, c.args...).WithFile(t, c.file)
			i.Args = append(i.Args, "--log", filepath.Join(i.Home, "log"))
			code, stdout, stderr := i.Run(t)
			want := "^lilith: " + strings.ReplaceAll(c.want, "FILE", regexp.QuoteMeta(i.File())) + "\n$"
			if code != 1 || stdout != "" || !regexp.MustCompile(want).MatchString(stderr) {
				t.Errorf("exit code %d\nstdout: %q\nstderr: %q\n  want: %q", code, stdout, stderr, want)
			}
		})
	}
}

func TestAHostListInUseIsRefusedWithItsNetwork(t *testing.T) {
	file := fmt.Sprintf("[rpc]\nrpc_listen = \"tcp://127.0.0.1:0\"\n[network.x]\naccept_addrs = [\"tcp://127.0.0.1:0\"]\nlocalnet = true\nhostlist = %q\n", filepath.Join(t.TempDir(), "hosts"))
	first := invoke(t).WithFile(t, file).Start(t)
	first.Stderr.WaitFor(t, "x.p2p: Listening")
	code, _, stderr := invoke(t).WithFile(t, file).Run(t)
	if code != 1 || !regexp.MustCompile(`lilith: host list .* is in use by another .*: change network\.x\.hostlist in `).MatchString(stderr) {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	first.End()
	first.WantExit(0)
}
