// Package localnet is a private network of chat nodes in one process: real
// connections on the loopback interface, no daemon, no configuration and no files.
// It also shows how a node is put together without any framework: p2p.New,
// chat.Join, Start.
package localnet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"dchat/chat"
	"dchat/p2p"
	"dchat/p2p/addr"
)

// How many nodes there can be.
const (
	MinNodes = 2
	MaxNodes = 50
)

// Config says what to start.
type Config struct {
	Nodes int  // MinNodes to MaxNodes
	TLS   bool // connect by tcp+tls instead of tcp
}

// guests is how many nodes of other processes can join each node.
const guests = 64

// startTime is how long the nodes may take to connect; it is milliseconds each.
const startTime = 30 * time.Second

// Network is a network that runs. Its methods may be called at the same time, but
// for Next.
type Network struct {
	chats []*chat.Dchat
	addrs []addr.Addr // by which they connect to one another
	heard *chat.Subscription

	departures departures
	answering  sync.WaitGroup
	cancel     context.CancelFunc // of the answering
}

// Start starts the nodes and returns when every one is connected to every other;
// ctx bounds only that. From then on each but the first answers what the first
// sends. When it fails, nothing is left running.
func Start(ctx context.Context, config Config) (*Network, error) {
	if config.Nodes < MinNodes || config.Nodes > MaxNodes {
		return nil, fmt.Errorf("localnet: %d nodes: from %d to %d are possible", config.Nodes, MinNodes, MaxNodes)
	}
	answering, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n := &Network{cancel: cancel}
	ctx, done := context.WithTimeout(ctx, startTime)
	defer done()
	for range config.Nodes {
		if err := n.add(ctx, config); err != nil {
			return nil, fmt.Errorf("localnet: %w", errors.Join(err, n.Stop(ctx)))
		}
	}
	if err := n.connected(ctx); err != nil {
		return nil, fmt.Errorf("localnet: %w", errors.Join(err, n.Stop(ctx)))
	}
	n.heard = n.chats[0].History().Subscribe()
	for i, c := range n.chats[1:] {
		heard := c.History().Subscribe()
		n.answering.Go(func() { n.answer(answering, i+2, c, heard) })
	}
	return n, nil
}

// add starts one more node, which connects to those there are.
func (n *Network) add(ctx context.Context, config Config) error {
	scheme := "tcp"
	if config.TLS {
		scheme = "tcp+tls"
	}
	listen, err := addr.Parse(scheme + "://127.0.0.1:0")
	if err != nil {
		return err
	}
	settings := p2p.DefaultSettings()
	settings.Localnet = true
	settings.Inbound = []addr.Addr{listen}
	settings.InboundConnections = config.Nodes + guests
	settings.Peers = n.addrs
	settings.OutboundConnections = 0 // everybody is a peer

	node, err := p2p.New(settings)
	if err != nil {
		return err
	}
	joined, err := chat.Join(node, chat.DefaultSettings())
	if err != nil {
		return err
	}
	if err := node.Start(ctx); err != nil {
		return err
	}
	n.chats = append(n.chats, joined)
	n.addrs = append(n.addrs, node.Addrs()...)
	return nil
}

// connected waits until everybody is connected to everybody.
func (n *Network) connected(ctx context.Context) error {
	for _, c := range n.chats {
		if err := c.P2p().Connected(ctx, len(n.chats)-1); err != nil {
			return fmt.Errorf("the nodes did not connect in time: %w", err)
		}
	}
	return nil
}

// Stop stops all nodes and waits for them, within ctx. It can be called again.
func (n *Network) Stop(ctx context.Context) error {
	n.cancel()
	n.answering.Wait()
	errs := make([]error, len(n.chats))
	var stopping sync.WaitGroup
	for i, c := range n.chats {
		stopping.Go(func() { errs[i] = c.P2p().Stop(ctx) })
	}
	stopping.Wait()
	return errors.Join(errs...)
}

// Addrs returns the addresses of the nodes, the first one's first.
func (n *Network) Addrs() []addr.Addr { return append([]addr.Addr(nil), n.addrs...) }

// Send makes the first node send a text, as chat.Dchat.Send does.
func (n *Network) Send(ctx context.Context, text string) (chat.Receipt, error) {
	n.departures.note(text, time.Now())
	return n.chats[0].Send(ctx, text)
}

// Next waits for the next text that the first node sends or receives, as
// chat.Subscription.Next does: for one goroutine at a time.
func (n *Network) Next(ctx context.Context) (e chat.Entry, missed uint64, err error) {
	return n.heard.Next(ctx)
}
