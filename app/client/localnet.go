package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dchat/app/localnet"
	"dchat/chat"
	"dchat/p2p"
)

func (c *cli) localnetCommand() *cobra.Command {
	var config localnet.Config
	var exitAfter time.Duration
	cmd := &cobra.Command{
		Use:   "localnet",
		Short: "Start a network on this machine and talk in it: the quickest look at it all",
		Long: `Localnet starts a seed and nodes in this one process, on ports of the loopback
interface that are free. The nodes know nothing but the seed: they find each other
through it, and when each is connected to all others you talk through the first.
The others answer what you say. Nothing is read or written on disk, nothing
leaves the machine, and all is gone at the end. What it prints tells how to make a
daemon of its own join.

With --exit-after, or without a terminal, the first node says hello by itself; it
is a failure when not all others answer in time. Without --exit-after the lines of
standard input are sent then.`,
		Example: "  dchat localnet\n  dchat localnet --nodes 10 --tls\n  dchat localnet --exit-after 3s",
		Args:    noArgs,
		RunE: c.run(func(ctx context.Context, _ []string) error {
			if config.Nodes < localnet.MinNodes || config.Nodes > localnet.MaxNodes {
				return usage("--nodes %d: give a number from %d to %d", config.Nodes, localnet.MinNodes, localnet.MaxNodes)
			}
			if exitAfter < 0 {
				return usage("--exit-after %v: give a time such as 5s", exitAfter)
			}
			return c.localnet(ctx, config, exitAfter)
		}),
	}
	cmd.Flags().IntVar(&config.Nodes, "nodes", 3, fmt.Sprintf("start this `NUMBER` of nodes, %d to %d", localnet.MinNodes, localnet.MaxNodes))
	cmd.Flags().BoolVar(&config.TLS, "tls", false, "connect them by TLS")
	cmd.Flags().DurationVar(&exitAfter, "exit-after", 0, "run for this `DURATION`, such as 5s, without input: for scripts")
	return cmd
}

func (c *cli) localnet(ctx context.Context, config localnet.Config, exitAfter time.Duration) (err error) {
	began := time.Now()
	if err := c.printf("A seed and %d nodes start, which know nobody but the seed.\n", config.Nodes); err != nil {
		return err
	}
	told := began
	config.Progress = func(connected, pairs int) {
		const pause = 500 * time.Millisecond
		if now := time.Now(); connected < pairs && (told.Equal(began) || now.Sub(told) >= pause) {
			told = now
			_ = c.printf("  %d of %s connected after %v\n", connected, count(pairs, "pair"), now.Sub(began).Round(time.Millisecond)) // what comes next fails as well
		}
	}
	network, err := localnet.Start(ctx, config)
	if interrupted(ctx, err) {
		return errors.New("interrupted before all nodes were connected")
	}
	if err != nil {
		return err
	}
	defer func() {
		const stopTime = 5 * time.Second
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		err = errors.Join(err, network.Stop(ctx))
	}()
	if err := c.introduce(network, time.Since(began)); err != nil {
		return err
	}
	if _, _, ok := c.terminal(); ok && exitAfter == 0 {
		return c.talk(ctx, network, func(console) {})
	}
	return c.demonstrate(ctx, network, config.Nodes-1, exitAfter)
}

// introduce prints what was started and how to join it.
func (c *cli) introduce(network *localnet.Network, took time.Duration) error {
	addrs := network.Addrs()
	var b strings.Builder
	fmt.Fprintf(&b, "%d nodes have found each other, each is connected to all others, after %v:\n\n", len(addrs), took.Round(time.Millisecond))
	fmt.Fprintf(&b, "  seed     %s\n", peerName(network.Seed()))
	for i, a := range addrs {
		fmt.Fprintf(&b, "  node %-2d  %s", i+1, peerName(a))
		if i == 0 {
			b.WriteString("  this is you; the others answer")
		}
		b.WriteByte('\n')
	}
	slots := max(len(addrs), p2p.DefaultSettings().OutboundConnections) // a place for everybody
	fmt.Fprintf(&b, `
To join with a daemon of its own, type in a second terminal:

  go run ./cmd/dchatd --localnet --accept %s://127.0.0.1:0 --rpc-listen tcp://127.0.0.1:51055 --hostlist '' --outbound-slots %d --seeds %s

and to talk through that one, in a third:

  go run ./cmd/dchat chat --endpoint tcp://127.0.0.1:51055

`, addrs[0].Scheme(), slots, peerName(network.Seed()))
	return c.printf("%s", b.String())
}

// demonstrate lets the first node say hello, and waits for the answers. Then it
// goes on for the rest of the time, or with the lines of stdin.
func (c *cli) demonstrate(ctx context.Context, room Room, answers int, exitAfter time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if exitAfter > 0 {
		ctx, cancel = context.WithTimeout(ctx, exitAfter)
		defer cancel()
	}
	demo := &demonstration{Room: room, left: answers, answered: make(chan struct{})}
	stdin := newLineReader(c.stdin)
	said := false
	talk := newConversation(demo, c.console(func() (string, error) {
		if !said {
			said = true
			return "Hello! Is anybody there?", nil
		}
		if exitAfter > 0 {
			<-ctx.Done()
			return "", io.EOF
		}
		select {
		case <-demo.answered:
		case <-ctx.Done():
		}
		text, err := stdin.next()
		if errors.Is(err, io.EOF) {
			linger(ctx)
		}
		return text, err
	}))
	if err := talk.run(ctx); err != nil {
		return err
	}
	select {
	case <-demo.answered:
		return talk.unsent
	default:
		return fmt.Errorf("%s did not answer in time", count(demo.left, "node"))
	}
}

// linger gives the answers to the last line the time to come.
func linger(ctx context.Context) {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
}

// demonstration is a room that tells when enough answers have been shown.
type demonstration struct {
	Room
	left     int
	answered chan struct{}
}

// Next returns the room's next text; that it is called says that the one before was
// taken.
func (d *demonstration) Next(ctx context.Context) (chat.Entry, uint64, error) {
	if d.left == 0 {
		d.left--
		close(d.answered)
	}
	e, missed, err := d.Room.Next(ctx)
	if err == nil && e.Direction == chat.Received {
		d.left--
	}
	return e, missed, err
}
