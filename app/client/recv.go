package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"dchat/chat"
	"dchat/chat/rpc"
)

func (c *cli) recvCommand() *cobra.Command {
	var follow, asJSON bool
	cmd := &cobra.Command{
		Use:   "recv",
		Short: "Show the texts that were received",
		Long: `Recv shows what the daemon has received since it was started, as far as it still
keeps it: when, from which address, and the text, one in a line. An address says
through which connection a text came, not who wrote it.

With --json every text is an object in a line: run (another one after every start
of the daemon), seq (its number in the history of this run, which the sent texts are
in too), time, direction, addr, text, and missed when texts before it are no longer
kept.`,
		Example: "  dchat recv\n  dchat recv --follow\n  dchat recv --json | jq -r .text",
		Args:    noArgs,
		RunE: c.withDaemon(func(ctx context.Context, d *daemon, _ []string) error {
			f := &feed{daemon: d, follow: follow, say: c.console(nil).note}
			defer f.close()
			for {
				e, err := f.next(ctx)
				switch {
				case errors.Is(err, io.EOF), follow && interrupted(ctx, err):
					return nil
				case err != nil:
					return err
				}
				if err := c.received(f, e, asJSON); err != nil {
					return err
				}
			}
		}),
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is received from now on, until Ctrl-C; also when the daemon is restarted")
	cmd.Flags().BoolVar(&asJSON, "json", false, "an object in a line for every text")
	return cmd
}

func (c *cli) received(f *feed, e rpc.Entry, asJSON bool) error {
	if e.Missed > 0 {
		f.say("missing here: %s, no longer kept", count(e.Missed, "text"))
	}
	switch {
	case e.Direction == chat.Sent.String():
		return nil
	case asJSON:
		return c.printJSON(e)
	default:
		return c.printf("%s\n", entryLine(chatEntry(e)))
	}
}

// printJSON prints v in one line that is safe on a terminal.
func (c *cli) printJSON(v any) error {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err
	}
	return c.printf("%s\n", escapeJSON(string(bytes.TrimSpace(line.Bytes()))))
}
