package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dchat/chat/rpc"
)

func (c *cli) bansCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "bans",
		Short: "Show who is banned and why, and lift bans",
		Long: `Bans shows the peers that broke the protocol and are refused for a time: which host,
why, since when, for how much longer, and how often it has offended.

A ban ends by itself; one that should not be is lifted with bans lift. A host that
is to stay out for good belongs on the blacklist in the daemon's configuration.`,
		Example: "  dchat bans\n  dchat bans --json | jq -r .host\n  dchat bans lift 198.51.100.7",
		Args:    cobra.NoArgs,
		RunE: c.withDaemon(func(ctx context.Context, d *daemon, _ []string) error {
			var bans []rpc.Ban
			if err := d.call(ctx, "p2p.bans", nil, &bans); err != nil {
				return err
			}
			if asJSON {
				return printAllJSON(c, bans)
			}
			return c.printBans(bans)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "an object in a line for every ban")
	lift := &cobra.Command{
		Use:   "lift HOST…",
		Short: "Lift the bans of hosts",
		Long: `Lift ends the bans of the hosts, written as bans shows them: they can connect again
and are connected to. It is a failure when one of them is not banned; the others
are lifted all the same.`,
		Example: "  dchat bans lift 198.51.100.7\n  dchat bans --json | jq -r .host | xargs dchat bans lift",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("no host is named: see `dchat bans`")
			}
			return nil
		},
		RunE: c.withDaemon(c.liftBans),
	}
	cmd.AddCommand(lift)
	return cmd
}

func (c *cli) printBans(bans []rpc.Ban) error {
	if len(bans) == 0 {
		return c.printf("nobody is banned\n")
	}
	now := time.Now()
	var table strings.Builder
	table.WriteString("HOST\tSINCE\tLEFT\tOFFENCES\tREASON\n")
	for _, b := range bans {
		fmt.Fprintf(&table, "%s\t%s\t%s\t%d\t%s\n", escape(b.Host), age(b.Since, now), left(b.Until, now), b.Offences, escape(b.Reason))
	}
	return c.printTable(table.String())
}

// left is how long it is until a time in the form of RFC 3339, in whole seconds.
func left(until string, now time.Time) string {
	t, err := time.Parse(time.RFC3339, until)
	if err != nil {
		return "?"
	}
	return max(0, t.Sub(now)).Truncate(time.Second).String()
}

func (c *cli) liftBans(ctx context.Context, d *daemon, args []string) error {
	var missing []string
	for _, host := range args {
		var lifted bool
		if err := d.call(ctx, "p2p.unban", []string{host}, &lifted); err != nil {
			return err
		}
		if !lifted {
			missing = append(missing, host)
			continue
		}
		if err := c.printf("lifted: %s\n", escape(host)); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("not banned: %s; `dchat bans` shows who is", strings.Join(missing, ", "))
	}
	return nil
}
