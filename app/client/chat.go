package client

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"dchat/chat/rpc"
)

// shownBefore is how many texts of before a chat on a terminal begins with.
const shownBefore = 20

func (c *cli) chatCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "chat",
		Short: "Talk: type lines, and see what others say as they say it",
		Long: `Chat begins with the last few texts there are; then it sends every line you type,
and shows what others say as it comes. Ctrl-D on an empty line leaves, and Ctrl-C at once.

Under every line it says for how many peers it was taken. When the daemon goes away
chat waits for it to come back, and shows what it missed.

When standard input or output is no terminal, lines are read from the one, and
texts are written to the other, until the input ends.`,
		Example: "  dchat chat\n  dchat chat --endpoint tcp://127.0.0.1:51055",
		Args:    noArgs,
		RunE: c.withDaemon(func(ctx context.Context, d *daemon, _ []string) error {
			peers, err := d.peers(ctx)
			if err != nil {
				return err
			}
			f := &feed{daemon: d, follow: true}
			defer f.close()
			before := uint64(0)
			if _, _, ok := c.terminal(); ok {
				before = shownBefore
			}
			if err := f.skipTo(ctx, before); err != nil {
				return err
			}
			room := struct {
				*daemon
				*feed
			}{d, f}
			return c.talk(ctx, room, func(console console) {
				f.say = console.note
				console.note("%s: %s connected", peerName(d.endpoint), count(len(peers), "peer"))
			})
		}),
	}
}

// skipTo makes the feed begin with the last so many texts there are.
func (f *feed) skipTo(ctx context.Context, last uint64) error {
	newest, err := f.daemon.newest(ctx)
	f.last = rpc.Entry{Run: newest.Run, Seq: newest.Seq - min(newest.Seq, last)}
	return err
}

// talk holds a conversation: on the terminal, when there is one. Greet is told where
// before it begins.
func (c *cli) talk(ctx context.Context, room Room, greet func(console)) error {
	in, out, ok := c.terminal()
	if !ok {
		plain := c.console(newLineReader(c.stdin).next)
		greet(plain)
		talk := newConversation(room, plain)
		if err := talk.run(ctx); err != nil {
			return err
		}
		return talk.unsent
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	screen, restore, err := openScreen(in, out, cancel)
	if err != nil {
		return err
	}
	defer restore()
	greet(screen.console())
	screen.console().note("type a line to send it; Ctrl-D leaves")
	return newConversation(room, screen.console()).run(ctx)
}

// terminal is where to talk interactively, when input and output are one.
func (c *cli) terminal() (in, out *os.File, ok bool) {
	in, isIn := asTerminal(c.stdin)
	out, isOut := asTerminal(c.stdout)
	return in, out, isIn && isOut
}

// console is that of a command without a terminal of its own.
func (c *cli) console(lines func() (string, error)) console {
	return console{lines: lines, texts: c.stdout, notes: c.stderr}
}
