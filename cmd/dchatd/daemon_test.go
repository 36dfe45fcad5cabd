package main_test

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"dchat/cmd/internal/proc"
	"dchat/p2p/addr"
)

func TestMain(m *testing.M) { proc.Main(m) }

// setup says how to run dchatd. The zero value runs it in a home of its own, with the
// configuration it writes itself, answering RPC on a unix socket and listening on a free port.
type setup struct {
	home   string   // where ~ is; default: a new directory
	rpc    string   // --rpc-listen; default: a socket in the home
	accept string   // --accept, or "nowhere"; default: any free port of 127.0.0.1
	args   []string // what else is on the command line
	env    []string
	toml   string   // the configuration file; default: none yet
	bare   bool     // with args alone
	stderr *os.File // instead of keeping what is written

	program string // instead of dchatd
	netns   string // the network namespace to run in; default: that of the test
}

// daemon is a process of dchatd.
type daemon struct{ *proc.Process }

// configFile is where a daemon with that home keeps its configuration.
func configFile(home string) string {
	return filepath.Join(home, ".config", "darkfi", "dchatd_config.toml")
}

// launch runs dchatd and returns at once.
func (s setup) launch(t *testing.T) *daemon {
	t.Helper()
	if s.home == "" {
		s.home = proc.NewHome(t)
	}
	if s.rpc == "" {
		s.rpc = proc.Socket(s.home)
	}
	if s.accept == "" {
		s.accept = "tcp://127.0.0.1:0"
	}
	if s.toml != "" {
		proc.WriteFile(t, configFile(s.home), s.toml)
	}
	if !s.bare {
		s.args = append([]string{"--rpc-listen", s.rpc}, s.args...)
		if s.accept != "nowhere" {
			s.args = append(s.args, "--accept", s.accept)
		}
	}
	return &daemon{proc.Command{
		Program: cmp.Or(s.program, "dchatd"), Args: s.args, Env: s.env, Home: s.home, RPC: s.rpc, Stderr: s.stderr, Netns: s.netns,
	}.Launch(t)}
}

// quickest returns the least time that f took of three: a machine that is busy with other tests slows down
// some.
func quickest(f func()) time.Duration {
	var took [3]time.Duration
	for i := range took {
		began := time.Now()
		f()
		took[i] = time.Since(began)
	}
	return slices.Min(took[:])
}

// start is launch, and waits until the daemon listens for peers.
func (s setup) start(t *testing.T) *daemon {
	t.Helper()
	d := s.launch(t)
	d.addr()
	return d
}

// addr is the address at which the daemon takes peers.
func (d *daemon) addr() addr.Addr {
	d.T.Helper()
	return addr.MustParse(d.Logged(`p2p(?:: |","msg":")Listening.*?([a-z0-9+]+://[^\s"]+)`)[1])
}
