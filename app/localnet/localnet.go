// Package localnet is a private network of chat nodes in one process: real
// connections on the loopback interface, no daemon, no configuration and no files.
// The nodes know nothing but a seed, and find each other through it. It also shows
// how a node is put together without any framework: p2p.New, chat.Join, Start.
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

	// Progress, when not nil, is called by Start with how many of all pairs of nodes
	// are connected, whenever that has grown.
	Progress func(connected, pairs int)
}

// guests is how many nodes of other processes can join each node.
const guests = 64

// startTime is how long the nodes may take to connect; it is seconds.
const startTime = 30 * time.Second

// Network is a network that runs. Its methods may be called at the same time, but
// for Next.
type Network struct {
	seed     *p2p.P2p
	seedAddr addr.Addr
	chats    []*chat.Dchat
	addrs    []addr.Addr // of the nodes, which they tell the seed
	heard    *chat.Subscription

	departures departures
	answering  sync.WaitGroup
	cancel     context.CancelFunc // of the answering
}

// Start starts a seed and the nodes, and returns when every node is connected to
// every other; ctx bounds only that. From then on each but the first answers what
// the first sends. When it fails, nothing is left running.
func Start(ctx context.Context, config Config) (*Network, error) {
	if config.Nodes < MinNodes || config.Nodes > MaxNodes {
		return nil, fmt.Errorf("localnet: %d nodes: from %d to %d are possible", config.Nodes, MinNodes, MaxNodes)
	}
	answering, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n := &Network{cancel: cancel}
	ctx, done := context.WithTimeout(ctx, startTime)
	defer done()
	if err := n.form(ctx, config); err != nil {
		return nil, fmt.Errorf("localnet: %w", errors.Join(err, n.Stop(ctx)))
	}
	n.heard = n.chats[0].History().Subscribe()
	for i, c := range n.chats[1:] {
		heard := c.History().Subscribe()
		n.answering.Go(func() { n.answer(answering, i+2, c, heard) })
	}
	return n, nil
}

// form starts everything and waits until it is connected.
func (n *Network) form(ctx context.Context, config Config) error {
	seed, err := startSeed(ctx, config)
	if err != nil {
		return err
	}
	n.seed, n.seedAddr = seed, seed.Addrs()[0]
	for range config.Nodes {
		if err := n.add(ctx, config); err != nil {
			return err
		}
	}
	return n.connected(ctx, config.Progress)
}

// startSeed starts the node that the others ask.
func startSeed(ctx context.Context, config Config) (*p2p.P2p, error) {
	settings, err := settings(config)
	if err != nil {
		return nil, err
	}
	settings.SeedNode = true
	settings.BanPolicy = p2p.BanRelaxed
	settings.OutboundConnections = 0
	seed, err := p2p.New(settings)
	if err != nil {
		return nil, err
	}
	return seed, seed.Start(ctx)
}

// add starts one more node, which knows the seed and tells it where it is.
func (n *Network) add(ctx context.Context, config Config) error {
	settings, err := settings(config)
	if err != nil {
		return err
	}
	settings.Seeds = []addr.Addr{n.seedAddr}
	settings.ExternalAddrs = settings.Inbound // with the port that it gets
	settings.OutboundConnections = config.Nodes - 1

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

// settings are those that the seed and the nodes have in common.
func settings(config Config) (p2p.Settings, error) {
	scheme := "tcp"
	if config.TLS {
		scheme = "tcp+tls"
	}
	listen, err := addr.Parse(scheme + "://127.0.0.1:0")
	s := p2p.DefaultSettings()
	s.Localnet = true
	s.Inbound = []addr.Addr{listen}
	s.InboundConnections = config.Nodes + guests
	return s, err
}

// Stop stops all nodes and waits for them, within ctx. It can be called again.
func (n *Network) Stop(ctx context.Context) error {
	n.cancel()
	n.answering.Wait()
	nodes := make([]*p2p.P2p, 0, 1+len(n.chats))
	if n.seed != nil {
		nodes = append(nodes, n.seed)
	}
	for _, c := range n.chats {
		nodes = append(nodes, c.P2p())
	}
	errs := make([]error, len(nodes))
	var stopping sync.WaitGroup
	for i, node := range nodes {
		stopping.Go(func() { errs[i] = node.Stop(ctx) })
	}
	stopping.Wait()
	return errors.Join(errs...)
}

// Seed returns the address of the seed.
func (n *Network) Seed() addr.Addr { return n.seedAddr }

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
