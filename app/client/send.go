package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"dchat/chat"
)

func (c *cli) sendCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "send TEXT…",
		Short: "Send a text to everybody who is connected",
		Long: `Send sends its arguments, joined by spaces, as one text to every peer of the
daemon, and says for how many it was taken. The texts go to those who are
connected now and to nobody else.

With - in place of a text, every line of standard input is a text; empty lines
are passed over. It stops at the first line that cannot be sent.`,
		Example: "  dchat send hello everybody\n  dchat send -- -5 degrees, and it snows\n  uptime | dchat send -",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("nothing to send: give a text, or - for lines from standard input")
			}
			return nil
		},
		RunE: c.withDaemon(func(ctx context.Context, d *daemon, args []string) error {
			if len(args) == 1 && args[0] == "-" {
				return c.sendLines(ctx, d)
			}
			r, err := d.Send(ctx, strings.Join(args, " "))
			if errors.Is(err, chat.ErrText) {
				return usage("%v", err)
			}
			if err != nil {
				return err
			}
			return c.printf("sent to %s\n", count(r.Peers, "peer"))
		}),
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return fmt.Errorf("%w; a text that begins with a dash goes behind --", err)
	})
	return cmd
}

// sendLines sends every line of stdin.
func (c *cli) sendLines(ctx context.Context, d *daemon) error {
	_, typing := asTerminal(c.stdin)
	var lines, texts, least, most int
	lineErr := func(err error) error {
		return fmt.Errorf("line %d: %w (%s before it sent, none after it)", lines, err, count(texts, "text"))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	input := readLines(ctx, newLineReader(c.stdin).next)
	for {
		var line typed
		select {
		case line = <-input:
		case <-ctx.Done():
			return fmt.Errorf("interrupted: %s sent", count(texts, "text"))
		}
		if errors.Is(line.err, io.EOF) {
			break
		}
		lines++
		if line.err != nil {
			return lineErr(line.err)
		}
		if line.text == "" {
			continue
		}
		r, err := d.Send(ctx, line.text)
		if err != nil {
			return lineErr(err)
		}
		if texts++; texts == 1 {
			least = r.Peers
		}
		least, most = min(least, r.Peers), max(most, r.Peers)
		if typing {
			if err := c.printf("sent to %s\n", count(r.Peers, "peer")); err != nil {
				return err
			}
		}
	}
	switch {
	case texts == 0:
		return c.printf("no text in the input: nothing sent\n")
	case least == most:
		return c.printf("%s sent to %s\n", count(texts, "text"), count(most, "peer"))
	default:
		return c.printf("%s sent, each to %d to %d peers\n", count(texts, "text"), least, most)
	}
}

func (c *cli) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(c.stdout, format, args...)
	return err
}
