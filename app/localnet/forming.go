package localnet

import (
	"context"
	"fmt"
	"slices"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/channel"
)

// lookTime is how often is looked at how far the network is.
const lookTime = 20 * time.Millisecond

// connected waits until everybody is connected to everybody.
func (n *Network) connected(ctx context.Context, progress func(connected, pairs int)) error {
	look := time.NewTicker(lookTime)
	defer look.Stop()
	all := len(n.addrs) * (len(n.addrs) - 1) / 2
	for told := 0; ; {
		now := n.pairs()
		if progress != nil && now > told {
			told = now
			progress(now, all)
		}
		if now == all {
			return nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("the nodes did not connect in time, only %d of %d pairs did: %w", now, all, ctx.Err())
		}
	}
}

// pairs counts the pairs of nodes that are connected: one has dialled the other, or
// both have.
func (n *Network) pairs() int {
	connected := make(map[[2]int]bool)
	for i, c := range n.chats {
		for _, ch := range c.P2p().Channels() {
			if j := slices.Index(n.addrs, ch.Addr()); j >= 0 {
				connected[[2]int{min(i, j), max(i, j)}] = true
			}
		}
	}
	return len(connected)
}

// isFrom tells whether what a node received by the name from came from the node at
// an address: it was dialled there, or says itself to be there.
func isFrom(node *p2p.P2p, from, at addr.Addr) bool {
	return from == at || slices.ContainsFunc(node.Channels(), func(ch *channel.Channel) bool {
		return ch.Addr() == from && slices.Contains(ch.Remote().ExtSendAddr, at)
	})
}
