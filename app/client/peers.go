package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dchat/chat/rpc"
)

func (c *cli) peersCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "peers",
		Short: "Show who is connected, and what the free slots are doing",
		Long: `Peers shows the daemon's connections: the address, which part of the daemon made
the connection, who made it (in: they, out: we), since when, what went through it,
and what the peer says it is. Two nodes that dialled each other are connected twice, and
count as one peer when a text is sent.

Then it shows the outbound slots, the places for peers that the daemon finds by
itself, that are not connected: what each one is doing, and why its last attempt
failed. In the output of --json every slot has a line behind those of the peers, with
its number as "slot", which no peer has.`,
		Example: "  dchat peers\n  dchat peers --json | jq -r 'select(has(\"slot\") | not).addr'\n  dchat peers --json | jq 'select(has(\"slot\"))'",
		Args:    noArgs,
		RunE: c.withDaemon(func(ctx context.Context, d *daemon, _ []string) error {
			peers, err := d.peers(ctx)
			if err != nil {
				return err
			}
			slices.SortFunc(peers, func(a, b rpc.Peer) int {
				return cmp.Or(cmp.Compare(a.Connected, b.Connected), cmp.Compare(a.Addr, b.Addr))
			})
			slots, err := d.slots(ctx)
			if err != nil {
				return err
			}
			if asJSON {
				return errors.Join(printAllJSON(c, peers), printAllJSON(c, slots))
			}
			return errors.Join(c.printPeers(peers), c.printSlots(slots))
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "an object in a line for every peer and every slot")
	return cmd
}

func (c *cli) printPeers(peers []rpc.Peer) error {
	if len(peers) == 0 {
		return c.printf("nobody is connected\n")
	}
	var text strings.Builder
	text.WriteString("ADDRESS\tSESSION\tDIR\tAGE\tMESSAGES IN\tOUT\tBYTES IN\tOUT\tVERSION\n")
	for _, p := range peers {
		direction := "out"
		if p.Session == "inbound" {
			direction = "in"
		}
		fmt.Fprintf(&text, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%s\n", escape(strings.TrimSuffix(p.Addr, "/")), escape(p.Session), direction,
			age(p.Connected, time.Now()), p.MessagesIn, p.MessagesOut, p.BytesIn, p.BytesOut, escape(p.Version))
	}
	return c.printTable(text.String())
}

// printAllJSON prints a line for each.
func printAllJSON[T any](c *cli, all []T) error {
	for _, one := range all {
		if err := c.printJSON(one); err != nil {
			return err
		}
	}
	return nil
}

// age is how long ago a time in the form of RFC 3339 was, in whole seconds.
func age(since string, now time.Time) string {
	t, err := time.Parse(time.RFC3339, since)
	if err != nil {
		return "?"
	}
	return max(0, now.Sub(t)).Truncate(time.Second).String()
}

func (c *cli) pingCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ping",
		Short:   "See whether the daemon answers",
		Example: "  dchat ping && echo it runs\n  dchat ping --endpoint unix:///run/dchatd.sock",
		Args:    noArgs,
		RunE: c.withDaemon(func(ctx context.Context, d *daemon, _ []string) error {
			began := time.Now()
			var answer string
			if err := d.call(ctx, "ping", nil, &answer); err != nil {
				return unanswered(err)
			}
			return c.printf("%s from %s in %v\n", escape(answer), peerName(d.endpoint), time.Since(began).Round(10*time.Microsecond))
		}),
	}
}
