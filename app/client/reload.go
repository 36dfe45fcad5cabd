package client

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"dchat/chat/rpc"
)

func (c *cli) reloadCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Make the daemon read its configuration again",
		Long: `Reload makes the daemon read its configuration file again, under the flags and the
environment it was started with, and says what has changed. The number of outbound
slots, the peers, the seeds, the blacklist and the level of the log are applied at
once, without an end to connections that can stay; everything else waits for the next
start of the daemon. A file with a fault in it changes nothing: what is wrong with it
is said. SIGHUP to the daemon does the same.`,
		Example: "  dchat reload\n  dchat reload --endpoint unix:///run/dchatd.sock",
		Args:    noArgs,
		RunE: c.withDaemon(func(ctx context.Context, d *daemon, _ []string) error {
			var r rpc.Reloaded
			if err := d.call(ctx, "p2p.reload", nil, &r); err != nil {
				return err
			}
			if len(r.Applied) == 0 && len(r.Restart) == 0 {
				return c.printf("nothing has changed\n")
			}
			if len(r.Applied) > 0 {
				if err := c.printf("applied: %s\n", escape(strings.Join(r.Applied, ", "))); err != nil {
					return err
				}
			}
			if len(r.Restart) > 0 {
				return c.printf("waits for a restart of the daemon: %s\n", escape(strings.Join(r.Restart, ", ")))
			}
			return nil
		}),
	}
}
