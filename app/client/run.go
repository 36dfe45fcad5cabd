package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"dchat/app/internal/stdlog"
	"dchat/app/internal/version"
)

const help = `dchat talks to everybody who is connected to a dchatd daemon.

A daemon runs in the background and holds the connections; each command below
asks it for one thing. To see it all work first, with nothing to set up:

  dchat localnet

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the daemon is not reachable,
4 the text was sent to nobody because nobody is connected.`

const (
	endpointEnv     = "DCHAT_ENDPOINT"
	defaultEndpoint = "tcp://127.0.0.1:51054"
)

// cli is one call of the command.
type cli struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	endpoint       string
}

// Run runs the command that the arguments name and returns its exit code: 0 done,
// 1 failed, 2 wrong usage, 3 daemon not reachable, 4 sent to nobody. The environment,
// given as "KEY=value", may name the daemon: DCHAT_ENDPOINT. When stdin and stdout
// are a terminal, chat and localnet take it over until they end. When ctx ends, so
// does the command; a read of stdin may go on. The outputs are written to by several
// goroutines.
func Run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	defer stdlog.Redirect(zap.NewNop())() // what libraries say to nobody in particular
	c := &cli{stdin: stdin, stdout: stdout, stderr: stderr}
	root := c.command(env) //nolint:contextcheck // cobra hands ctx to the commands
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	code := exitCode(err)
	if err == nil || errors.As(err, new(reported)) {
		return code
	}
	line := strings.Join(strings.Fields(err.Error()), " ")
	_, _ = fmt.Fprintf(stderr, "dchat: %s\n", escape(line)) // nobody is left to tell that this cannot be told
	if code == exitUsage {
		_, _ = fmt.Fprintf(stderr, "Run `%s --help` to see what it takes.\n", cmd.CommandPath())
	}
	return code
}

func (c *cli) command(env []string) *cobra.Command {
	root := &cobra.Command{
		Use:           "dchat",
		Short:         "Talk to the peers of a dchatd daemon",
		Long:          help,
		Example:       "  dchat chat\n  dchat send hello everybody\n  dchat recv --follow\n  dchat peers --endpoint tcp://127.0.0.1:51055",
		Version:       version.String(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(c.chatCommand(), c.sendCommand(), c.recvCommand(), c.peersCommand(), c.bansCommand(), c.reloadCommand(), c.pingCommand(), c.doctorCommand(env))
	for _, cmd := range root.Commands() {
		cmd.PersistentFlags().StringVarP(&c.endpoint, "endpoint", "e", cmp.Or(fromEnv(env, endpointEnv), defaultEndpoint),
			"the daemon's JSON-RPC `URL`: tcp, http+tcp or unix; "+endpointEnv+" in the environment sets the default")
	}
	root.AddCommand(c.localnetCommand())
	return root
}

func fromEnv(env []string, name string) (value string) {
	for _, e := range env {
		if rest, ok := strings.CutPrefix(e, name+"="); ok {
			value = rest
		}
	}
	return value
}

// job is what a command does, after its command line was parsed.
type job func(ctx context.Context, args []string) error

func (c *cli) run(do job) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := do(cmd.Context(), args); err != nil {
			return failure{err}
		}
		return nil
	}
}

// noArgs refuses arguments, of a command without commands of its own.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no arguments, but was given %q", cmd.CommandPath(), args[0])
	}
	return nil
}

// daemonJob is a job that needs the daemon at the endpoint.
type daemonJob func(ctx context.Context, d *daemon, args []string) error

func (c *cli) withDaemon(do daemonJob) func(*cobra.Command, []string) error {
	return c.run(func(ctx context.Context, args []string) error {
		endpoint, err := parseEndpoint(c.endpoint)
		if err != nil {
			return err
		}
		d := &daemon{endpoint: endpoint}
		defer d.close()
		return do(ctx, d, args)
	})
}

// interrupted tells whether a command ended because the user wanted it to.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, ctx.Err())
}
