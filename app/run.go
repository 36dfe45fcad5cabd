package app

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"dchat/modules/settingsfx"
)

// The exit codes of the daemon, beside 0 and those that a module asks for.
const (
	exitFailed  = 1   // the start or the stop failed
	exitUsage   = 2   // a flag, the environment or the configuration file is wrong; nothing was started
	exitAborted = 130 // a second SIGINT
)

// exitError carries an exit code through cobra; its cause has been reported.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// Run is the daemon's main: it reads the arguments and the environment, given as
// "KEY=value", runs until a signal or the end of ctx, and returns the exit code.
func Run(ctx context.Context, args, env []string, stdout, stderr io.Writer) int {
	root := command(env, stdout, stderr)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var code exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	default: // cobra's own: a flag or an argument
		fmt.Fprintf(stderr, "dchatd: %v\nRun 'dchatd --help' for what it takes.\n", err)
		return exitUsage
	}
}

const help = `dchatd is one node of a peer-to-peer chat. It connects to peers, takes their
connections, and serves the dchat command and other programs over JSON-RPC.

The first run writes a configuration file with all its keys explained. A setting
is taken from the first of: a flag, the environment (DCHAT_ and the key, such as
DCHAT_NET__OUTBOUND_CONNECTIONS=4), the file, the defaults.

SIGINT, SIGTERM and SIGQUIT stop it cleanly; a second SIGINT stops it at once.

Exit codes: 0 stopped as asked, 1 could not start or stop, 2 wrong usage or
configuration, 130 stopped at once.`

func command(env []string, stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:           "dchatd",
		Short:         "A node of a peer-to-peer chat",
		Long:          help,
		Example:       "  dchatd\n  dchatd --config ~/second.toml -v\n  dchatd config show",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	settingsfx.Flags(root.PersistentFlags())
	load := func(cmd *cobra.Command) (*settingsfx.Loaded, error) {
		loaded, err := settingsfx.Load(settingsfx.Source{Flags: cmd.Flags(), Env: env, ReadOnly: cmd.Name() != "dchatd"})
		if err != nil {
			fmt.Fprintf(stderr, "dchatd: %v\n", err)
			return nil, exitError(exitUsage)
		}
		return loaded, nil
	}
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		loaded, err := load(cmd)
		if err != nil {
			return err
		}
		ctx, release := untilSignal(cmd.Context())
		defer release()
		return serve(ctx, loaded, stderr)
	}
	root.AddCommand(configCommand(load, stdout, stderr))
	return root
}

// serve runs the daemon with settings that have been loaded.
func serve(ctx context.Context, loaded *settingsfx.Loaded, stderr io.Writer) error {
	fail := func(err error) error {
		fmt.Fprintf(stderr, "dchatd: %s\n", explain(err, loaded))
		return exitError(exitFailed)
	}
	d, err := newDaemon(loaded, logTo(stderr))
	if err != nil {
		return fail(err)
	}
	if loaded.Created {
		d.log.Info("Wrote a configuration file with the defaults", zap.String("file", loaded.File))
	}
	for _, warning := range loaded.Warnings {
		d.log.Warn(warning)
	}
	code, err := d.run(ctx)
	if err != nil {
		return fail(err)
	}
	if code != 0 {
		return exitError(code)
	}
	return nil
}

func configCommand(load func(*cobra.Command) (*settingsfx.Loaded, error), stdout, stderr io.Writer) *cobra.Command {
	config := &cobra.Command{
		Use:   "config",
		Short: "Look at the configuration, without starting anything",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() }, // without it cobra takes any argument
	}
	config.AddCommand(&cobra.Command{
		Use:     "show",
		Short:   "Print every setting in effect and where it comes from",
		Example: "  dchatd config show\n  dchatd config show --config ~/second.toml --outbound-slots 3",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := load(cmd)
			if err != nil {
				return err
			}
			return loaded.Show(stdout)
		},
	}, &cobra.Command{
		Use:     "check",
		Short:   "Say whether the configuration is valid",
		Example: "  dchatd config check --config ~/second.toml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := load(cmd)
			if err != nil {
				return err
			}
			for _, warning := range loaded.Warnings {
				fmt.Fprintf(stderr, "warning: %s\n", warning)
			}
			_, err = fmt.Fprintf(stdout, "%s is valid\n", loaded.File)
			return err
		},
	})
	return config
}
