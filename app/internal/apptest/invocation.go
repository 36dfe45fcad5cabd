package apptest

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"dchat/modules/settingsfx"
)

// Program is what a daemon's main function runs.
type Program func(ctx context.Context, args, env []string, stdout, stderr io.Writer) (code int)

// Invocation is a command line of a program, whose home is a directory of its own.
type Invocation struct {
	Home string
	Args []string

	program Program
}

// Invoke is a program with these arguments, which does not run yet.
func Invoke(t testing.TB, program Program, args ...string) *Invocation {
	return &Invocation{Home: t.TempDir(), Args: args, program: program}
}

// File is where the configuration file is, if there is one: test.toml in the home.
func (i *Invocation) File() string { return filepath.Join(i.Home, "test.toml") }

// WithFile adds a configuration file.
func (i *Invocation) WithFile(t testing.TB, text string) *Invocation {
	t.Helper()
	if err := os.WriteFile(i.File(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	i.Args = append(i.Args, "--config", i.File())
	return i
}

// Source is what the program reads its configuration from; define is what defines its flags.
func (i *Invocation) Source(t testing.TB, define func(*pflag.FlagSet)) settingsfx.Source {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	define(flags)
	if err := flags.Parse(i.Args); err != nil {
		t.Fatal(err)
	}
	return settingsfx.Source{Flags: flags, Env: i.env()}
}

// Start runs it beside the test.
func (i *Invocation) Start(t testing.TB) *Running {
	stdout, stderr := NewOutput(), NewOutput()
	return Start(t, stdout, stderr, func(ctx context.Context) int {
		return i.program(ctx, i.Args, i.env(), stdout, stderr)
	})
}

// Run runs it to its end.
func (i *Invocation) Run(t testing.TB) (code int, stdout, stderr string) {
	t.Helper()
	r := i.Start(t)
	return r.Wait(), r.Stdout.String(), r.Stderr.String()
}

// Want runs it to its end, and checks the exit code and what must be in what it writes; "" stands for
// nothing at all.
func (i *Invocation) Want(t testing.TB, code int, stdout, stderr string) {
	t.Helper()
	gotCode, gotStdout, gotStderr := i.Run(t)
	if gotCode != code || !holds(gotStdout, stdout) || !holds(gotStderr, stderr) {
		t.Errorf("exit code %d, want %d\nstdout: %q\n  want: %q\nstderr: %q\n  want: %q", gotCode, code, gotStdout, stdout, gotStderr, stderr)
	}
}

func (i *Invocation) env() []string { return []string{"HOME=" + i.Home} }

func holds(text, part string) bool {
	return part == "" && text == "" || part != "" && strings.Contains(text, part)
}
