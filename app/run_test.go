package app

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"dchat/app/internal/apptest"
	"dchat/app/internal/daemon"
)

func dchatd(t *testing.T, args ...string) *apptest.Invocation {
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
		"help":                 {[]string{"--help"}, 0, "Exit codes:", ""},
		"help of a command":    {[]string{"config", "show", "--help"}, 0, "Print every setting", ""},
		"version":              {[]string{"--version"}, 0, "dchatd version ", ""},
		"config alone":         {[]string{"config"}, 0, "Say whether the configuration is valid", ""},
		"show":                 {[]string{"config", "show"}, 0, "rpc_listen", ""},
		"unknown flag":         {[]string{"--nonsense"}, daemon.Usage, "", "dchatd: unknown flag: --nonsense\nRun 'dchatd --help'"},
		"argument":             {[]string{"nonsense"}, daemon.Usage, "", `dchatd: unknown command "nonsense"`},
		"unknown command":      {[]string{"config", "chekc"}, daemon.Usage, "", `dchatd: unknown command "chekc"`},
		"argument of command":  {[]string{"config", "check", "it"}, daemon.Usage, "", "dchatd: unknown command"},
		"flag without a value": {[]string{"--rpc-listen"}, daemon.Usage, "", "dchatd: flag needs an argument: --rpc-listen"},
		"wrong value":          {[]string{"--outbound-slots", "many"}, daemon.Usage, "", "dchatd: --outbound-slots: net.outbound_connections"},
		"no such file":         {[]string{"config", "check", "--config", missing}, daemon.Usage, "", "there is no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			dchatd(t, c.args...).Want(t, c.code, c.stdout, c.stderr)
		})
	}
}

func TestTheHelpNamesTheExitCodes(t *testing.T) {
	_, stdout, _ := dchatd(t, "--help").Run(t)
	_, codes, _ := strings.Cut(stdout, "Exit codes:")
	codes, _, _ = strings.Cut(codes, "\n\n")
	want := []string{"0", fmt.Sprint(daemon.Failed), fmt.Sprint(daemon.Usage), fmt.Sprint(daemon.Lost), fmt.Sprint(daemon.Aborted)}
	if got := regexp.MustCompile(`\d+`).FindAllString(codes, -1); !slices.Equal(got, want) {
		t.Errorf("the help has the exit codes %q, want %q", got, want)
	}
}

func TestAFaultyFileStartsNothing(t *testing.T) {
	i := dchatd(t, "--p2p-datastore", filepath.Join(t.TempDir(), "data")).WithFile(t, "[net]\ninboud = []\noutbound_connections = -1\n")
	code, stdout, stderr := i.Run(t)
	if code != daemon.Usage || stdout != "" {
		t.Errorf("exit code %d, stdout %q", code, stdout)
	}
	for _, want := range []string{"dchatd: " + i.Home + "/test.toml:2: net.inboud: unknown key", "test.toml:3: net.outbound_connections = -1:"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr is %q, want %q in it", stderr, want)
		}
	}
	if strings.Contains(stderr, "Starting") {
		t.Errorf("something was started: %q", stderr)
	}
}

func TestConfigCheckSaysThatAFileIsValid(t *testing.T) {
	i := dchatd(t, "config", "check").WithFile(t, "verbose = 1\n[rpc]\nrpc_listen = \"tcp://127.0.0.1:0\"\n")
	code, stdout, stderr := i.Run(t)
	if code != 0 || stdout != i.Home+"/test.toml is valid\n" || !strings.HasPrefix(stderr, "warning: ") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func TestAStartThatFailsSaysInOneLineWhatWhereAndWhatToDo(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	at := "tcp://" + taken.Addr().String()
	missing := "unix://" + filepath.Join(t.TempDir(), "missing", "socket")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const anyRPC = "[rpc]\nrpc_listen = \"tcp://127.0.0.1:0\"\n"

	for name, c := range map[string]struct {
		file string
		args []string
		want string // with FILE for the name of the file
	}{
		"inbound address of the file": {
			file: anyRPC + "[net]\ninbound = [\"" + at + "\"]\n",
			want: "cannot listen on " + at + ".*: bind: address already in use: stop the program that uses it \\(another dchatd\\?\\), or take another port: change net.inbound in FILE",
		},
		"inbound address of the table of a transport": {
			file: anyRPC + "[net]\nactive_profiles = [\"tcp\"]\n[net.profiles.tcp]\ninbound = [\"" + at + "\"]\n",
			want: "cannot listen on " + at + ".*: change net.profiles.tcp.inbound in FILE",
		},
		"inbound address of a flag": {
			file: anyRPC,
			args: []string{"--accept", at},
			want: "cannot listen on " + at + ".*: change --accept",
		},
		"inbound address of another machine": {
			file: anyRPC,
			args: []string{"--accept", "tcp://192.0.2.1:0"},
			want: "cannot listen on tcp://192.0.2.1:0.*: take an address of this machine: change --accept",
		},
		"inbound socket that another file is in the way of": {
			file: anyRPC,
			args: []string{"--accept", "unix://" + file},
			want: "cannot listen on unix://" + file + ": address already in use: the file that stands there is no socket: choose another path: change --accept",
		},
		"inbound port and socket, the latter in no directory": {
			file: anyRPC + "[net]\ninbound = [\"tcp://127.0.0.1:0\", \"" + missing + "\"]\n",
			want: "cannot listen on " + missing + ": .*no such file or directory: create its directory first: change net.inbound in FILE",
		},
		"RPC address of the file": {
			file: "[rpc]\nrpc_listen = \"" + missing + "\"\n",
			want: "JSON-RPC: cannot listen on " + missing + ": .*: change rpc.rpc_listen in FILE",
		},
		"RPC address of a flag": {
			args: []string{"--rpc-listen", at},
			want: "JSON-RPC: cannot listen on " + at + ".*: bind: address already in use: another program listens there: .*: change --rpc-listen",
		},
	} {
		t.Run(name, func(t *testing.T) {
			i := dchatd(t, c.args...).WithFile(t, c.file)
			i.Args = append(i.Args, "--log", filepath.Join(i.Home, "log"))
			code, stdout, stderr := i.Run(t)
			want := "^dchatd: " + strings.ReplaceAll(c.want, "FILE", regexp.QuoteMeta(i.File())) + "\n$"
			if code != daemon.Failed || stdout != "" || !regexp.MustCompile(want).MatchString(stderr) {
				t.Errorf("exit code %d, want %d\nstdout: %q\nstderr: %q\n  want: %q", code, daemon.Failed, stdout, stderr, want)
			}
		})
	}
}

func TestALogFileThatCannotBeOpenedFailsTheStart(t *testing.T) {
	i := dchatd(t).WithFile(t, "")
	i.Args = append(i.Args, "--log", i.Home) // a directory
	code, _, stderr := i.Run(t)
	want := "dchatd: log file: open " + i.Home + ": is a directory: change --log\n"
	if code != daemon.Failed || !strings.HasSuffix(stderr, want) {
		t.Errorf("exit code %d\nstderr: %q\n  want: %q at its end", code, stderr, want)
	}
}

func TestTheDaemonRunsUntilItIsToldToEnd(t *testing.T) {
	for name, end := range map[string]func(*apptest.Running){
		"by its context": func(r *apptest.Running) { r.End() },
		"by a signal":    func(*apptest.Running) { signalSelf(t, syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			r := dchatd(t, "-v", "--rpc-listen", "tcp://127.0.0.1:0", "--accept", "tcp://127.0.0.1:0").Start(t)
			r.Stderr.WaitFor(t, "fx: started") // what ends a start before that, undoes it
			r.Stderr.WaitFor(t, "p2p: Listening")
			end(r)
			r.WantExit(0)
			wantInOrder(t, r.Stderr, append([]string{"Wrote a configuration file with the defaults"}, theLines...)...)
			if got := r.Stdout.String(); got != "" {
				t.Errorf("on standard output: %q", got)
			}
		})
	}
}
