package main_test

import (
	"path/filepath"
	"testing"

	"dchat/cmd/internal/proc"
)

func TestMain(m *testing.M) { proc.Main(m) }

// process is one of lilith, or of dchatd, which answers JSON-RPC on a socket in its home.
type process struct{ *proc.Process }

// launch runs a program and returns at once.
func launch(t *testing.T, program, home string, args ...string) *process {
	t.Helper()
	return &process{proc.Command{Program: program, Home: home, Args: args}.Launch(t)}
}

// seed runs lilith with a file and waits until it answers.
func seed(t *testing.T, home, toml string) *process {
	t.Helper()
	file := filepath.Join(home, "seed.toml")
	proc.WriteFile(t, file, toml)
	p := launch(t, "lilith", home, "--config", file, "--rpc-listen", proc.Socket(home))
	p.Logged("p2p: Listening")
	return p
}

// node runs dchatd on a free port, which it tells to its seeds.
func node(t *testing.T, seedAt string, args ...string) (p *process, own string) {
	t.Helper()
	home := proc.NewHome(t)
	own = proc.FreeAddress(t)
	return launch(t, "dchatd", home, append([]string{"--rpc-listen", proc.Socket(home),
		"--localnet", "--accept", own, "--external-addrs", own, "--seeds", seedAt}, args...)...), own
}
