package app

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"go.uber.org/fx"

	"dchat/app/internal/daemon"
	"dchat/app/internal/version"
	"dchat/modules/settingsfx"
)

// Run is the daemon's main: it reads the arguments and the environment, given as
// "KEY=value", runs until a signal or the end of ctx, and returns the exit code.
func Run(ctx context.Context, args, env []string, stdout, stderr io.Writer) int {
	return daemon.Execute(ctx, command(env, stdout, stderr), args, stdout, stderr)
}

const help = `dchatd is one node of a peer-to-peer chat. It connects to peers, takes their
connections, and serves the dchat command and other programs over JSON-RPC.

The first run writes a configuration file with all its keys explained. A setting
is taken from the first of: a flag, the environment (DCHAT_ and the key, such as
DCHAT_NET__OUTBOUND_CONNECTIONS=4), the file, the defaults.

SIGINT, SIGTERM and SIGQUIT stop it cleanly; a second SIGINT stops it at once.
SIGHUP, and dchat reload, make it read the configuration again: the number of
outbound slots, peers, seeds, the blacklist and the log level are applied at once,
the rest at the next start. A file with a fault changes nothing.

Exit codes: 0 stopped as asked, 1 could not start or stop, 2 wrong usage or
configuration, 3 an address could not be listened on any more, for half a minute,
130 stopped at once.`

func command(env []string, stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:     "dchatd",
		Short:   "A node of a peer-to-peer chat",
		Long:    help,
		Example: "  dchatd\n  dchatd --config ~/second.toml -v\n  dchatd config show",
		Args:    cobra.NoArgs,
		Version: version.String(),
	}
	settingsfx.Flags(root.PersistentFlags())
	load := func(cmd *cobra.Command) (*settingsfx.Loaded, error) {
		loaded, err := settingsfx.Load(settingsfx.Source{Flags: cmd.Flags(), Env: env, ReadOnly: cmd.Name() != "dchatd"})
		if err != nil {
			fmt.Fprintf(stderr, "dchatd: %v\n", err)
			return nil, daemon.ExitError(daemon.Usage)
		}
		return loaded, nil
	}
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		hangups, release := daemon.TakeHangups()
		defer release()
		loaded, err := load(cmd)
		if err != nil {
			return err
		}
		explained := func(err error) string { return explain(err, loaded) }
		return daemon.Serve(cmd.Context(), "dchatd", &loaded.Report, explained, stderr, Options(loaded), fx.Supply(hangups))
	}
	root.AddCommand(daemon.ConfigCommand("dchatd", stdout, stderr, func(cmd *cobra.Command) (*settingsfx.Report, error) {
		loaded, err := load(cmd)
		if err != nil {
			return nil, err
		}
		return &loaded.Report, nil
	}))
	return root
}
