package lilith

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	"go.uber.org/fx"

	"dchat/app/internal/daemon"
	"dchat/app/internal/version"
	"dchat/modules/settingsfx"
	"dchat/p2p/addr"
)

// Run is the daemon's main: it reads the arguments and the environment, given as
// "KEY=value", runs until a signal or the end of ctx, and returns the exit code.
func Run(ctx context.Context, args, env []string, stdout, stderr io.Writer) int {
	return daemon.Execute(ctx, command(env, stdout, stderr), args, stdout, stderr)
}

const help = `lilith is a seed: nodes that know nobody ask it for addresses, and tell it theirs.
It tries what it is told at once, and passes on what answers; it takes no part in
what is said on a network. One lilith serves any number of networks.

The first run writes a configuration file with all its keys explained, for a network
on this machine; the file says what to change for one on the internet. Nodes use it
by its address:

  dchatd --localnet --seeds tcp://127.0.0.1:50515

Over JSON-RPC, at tcp://127.0.0.1:18927 by default, the method spawns lists every
network with the addresses that are known of it.

A setting is taken from the first of: a flag, the environment (LILITH_ and the key,
such as LILITH_NETWORK__DCHAT__SEEDS=tcp+tls://seed.example:50515 for a network that
is in the file), the file, the defaults.

SIGINT, SIGTERM and SIGQUIT stop it cleanly; a second SIGINT stops it at once.
SIGHUP makes it read the configuration again: peers, seeds and the log level are
applied at once, the rest at the next start. A file with a fault changes nothing.

Exit codes: 0 stopped as asked, 1 could not start or stop, 2 wrong usage or
configuration, 3 an address could not be listened on any more, for half a minute,
130 stopped at once.`

func command(env []string, stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:     "lilith",
		Short:   "A seed of peer-to-peer networks",
		Long:    help,
		Example: "  lilith\n  lilith --config ~/seed.toml -v\n  lilith config show",
		Args:    cobra.NoArgs,
		Version: version.String(),
	}
	settingsfx.LilithFlags(root.PersistentFlags())
	load := func(cmd *cobra.Command) (*settingsfx.LoadedLilith, error) {
		loaded, err := settingsfx.LoadLilith(settingsfx.Source{Flags: cmd.Flags(), Env: env, ReadOnly: cmd.Name() != "lilith"})
		if err != nil {
			fmt.Fprintf(stderr, "lilith: %v\n", err)
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
		return daemon.Serve(cmd.Context(), "lilith", &loaded.Report, explainer(loaded).Explain, stderr, Options(loaded), fx.Supply(hangups))
	}
	root.AddCommand(daemon.ConfigCommand("lilith", stdout, stderr, func(cmd *cobra.Command) (*settingsfx.Report, error) {
		loaded, err := load(cmd)
		if err != nil {
			return nil, err
		}
		return &loaded.Report, nil
	}))
	return root
}

// explainer says why the daemon could not start, and in which network.
func explainer(loaded *settingsfx.LoadedLilith) daemon.Explainer {
	key := func(name string, of func(settingsfx.Network) bool) string {
		if i := slices.IndexFunc(loaded.Networks, of); i >= 0 {
			return "network." + loaded.Networks[i].Name + "." + name
		}
		return name
	}
	return daemon.Explainer{
		Program: "lilith",
		Config:  &loaded.Report,
		LogFile: loaded.Log.File,
		Inbound: func(listen addr.Addr) string {
			return key("accept_addrs", func(n settingsfx.Network) bool { return slices.Contains(n.P2P.Inbound, listen) })
		},
		Hosts: func(file string) string {
			return key("hostlist", func(n settingsfx.Network) bool { return n.P2P.Hostlist == file })
		},
	}
}
