package p2ptest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// Config says what a Network is like. The zero value is a network without delay
// or loss.
type Config struct {
	// Seed is what all chance in the network, and in its nodes, comes from.
	Seed uint64

	// Latency is how long bytes are under way, and Jitter how much longer that may
	// be, by chance. A connection takes three times that to come about. To keep
	// events apart, up to a microsecond is added.
	Latency, Jitter time.Duration

	// Loss is the share of questions for a connection that get lost, from 0 to 1.
	// As with TCP a question is asked again after 1 s, then 2 s, and so on, for as
	// long as the node wants the connection.
	Loss float64

	// Trace, if not nil, is told of each attempt to connect, at its end, one at a
	// time, from a goroutine of the node's.
	Trace func(Dialled)
}

// Dialled is an attempt to connect.
type Dialled struct {
	At   time.Duration // since the network was made
	Took time.Duration
	From netip.Addr
	To   addr.Addr
	Err  error // nil: there was a connection
}

// Network is a simulated network in this process. What its nodes do happens in
// virtual time in a bubble of package testing/synctest, in which it must have
// been made, and in real time without one. Its methods may be called from any
// goroutine.
//
// Connections behave like TCP's: bytes arrive in order or not at all, what cannot
// arrive waits, and writing blocks when 64 KiB are under way or unread. Nobody
// answers at an IP address of which the network was not told; a port that nobody listens
// on refuses. There are no names.
//
// What takes how long is a matter of the seed and of when it begins, never of
// what else goes on, and no two things in the network happen at the same
// instant. So runs with the same seed differ only by what goes on in one node at
// one instant: see the package comment.
type Network struct {
	config Config

	mu       sync.Mutex // guards all that follows, and every connection
	schedule schedule
	hosts    map[netip.Addr]*host
	conns    map[*conn]struct{} // every end that is open
	held     map[*flow]struct{} // flows in which something got stuck
	nodes    []*Node
	given    int // IP addresses

	tracing sync.Mutex
}

// NewNetwork makes a network without hosts.
func NewNetwork(config Config) *Network {
	n := &Network{
		config: config,
		hosts:  make(map[netip.Addr]*host),
		conns:  make(map[*conn]struct{}),
		held:   make(map[*flow]struct{}),
	}
	n.schedule = schedule{mu: &n.mu, began: time.Now()}
	return n
}

// Node is a real node in a Network.
type Node struct {
	*p2p.P2p
	process *process
	addr    addr.Addr
}

// Addr is the address at which the others reach the node.
func (n *Node) Addr() addr.Addr { return n.addr }

// port is what nodes listen on.
const port = 26661

// Node makes a node on a host of its own; Start starts it. Its settings are the
// default ones, with an inbound and external address, after change, which may be nil.
// Each host looks like one in the public internet, in a /16 of its own. The
// error is p2p.New's.
func (n *Network) Node(change func(*p2p.Settings), options ...p2p.Option) (*Node, error) {
	return n.NodeAt(n.freeIP(), change, options...)
}

// NodeAt is Node on a host that is chosen, where another node may be or have been.
func (n *Network) NodeAt(ip netip.Addr, change func(*p2p.Settings), options ...p2p.Option) (*Node, error) {
	settings := p2p.DefaultSettings()
	settings.ActiveProfiles = []string{addr.TCP}
	settings.Inbound = []addr.Addr{addr.FromIP(addr.TCP, netip.AddrPortFrom(ip, port))}
	settings.ExternalAddrs = settings.Inbound
	if change != nil {
		change(&settings)
	}
	node := &Node{process: n.process(ip), addr: addr.FromIP(addr.TCP, netip.AddrPortFrom(ip, port))}
	if len(settings.ExternalAddrs) > 0 {
		node.addr = settings.ExternalAddrs[0]
	}
	n.mu.Lock()
	chance := rand.NewPCG(n.config.Seed, mix(mixText(ip.String()), uint64(len(n.nodes))))
	n.mu.Unlock()
	inner, err := p2p.New(settings, append([]p2p.Option{
		p2p.WithTransports(node.process.transports()),
		p2p.WithRandom(chance),
	}, options...)...)
	if err != nil {
		return nil, err
	}
	node.P2p = inner
	n.mu.Lock()
	defer n.mu.Unlock()
	n.nodes = append(n.nodes, node)
	return node, nil
}

// From returns the network as a host sees it, for a Peer or anything else that is
// no node. It serves tcp and tcp+tls, the latter without its cryptography.
func (n *Network) From(ip netip.Addr) transport.Set { return n.process(ip).transports() }

// Dead returns an address at which there is nobody: it does not answer. From at
// its IP address brings a host there to life.
func (n *Network) Dead() addr.Addr {
	return addr.FromIP(addr.TCP, netip.AddrPortFrom(n.freeIP(), port))
}

// Stop stops all nodes at once, those that were not started too, and waits for
// them. The error joins theirs.
func (n *Network) Stop(ctx context.Context) error {
	n.mu.Lock()
	nodes := slices.Clone(n.nodes)
	n.mu.Unlock()
	errs := make([]error, len(nodes))
	var all sync.WaitGroup
	for i, node := range nodes {
		all.Go(func() {
			if err := node.Stop(ctx); err != nil {
				errs[i] = fmt.Errorf("%v: %w", node.addr, err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// process makes a process at a host, and the host where there is none.
func (n *Network) process(ip netip.Addr) *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.hosts[ip]
	if h == nil {
		h = &host{ip: ip, listeners: make(map[uint16]*listener)}
		n.hosts[ip] = h
	}
	return &process{net: n, host: h}
}

func (p *process) transports() transport.Set {
	return transport.Set{addr.TCP: p, addr.TCPTLS: p}
}

// freeIP returns an address that was not given before and is no host's. The first
// 18,432 are in different /16.
func (n *Network) freeIP() netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	const firsts = 72 // from 20 on they are all public
	for {
		i := n.given
		n.given++
		ip := netip.AddrFrom4([4]byte{byte(20 + i%firsts), byte(i / firsts), byte(1 + i/firsts>>8), 1})
		if n.hosts[ip] == nil {
			return ip
		}
	}
}

// now is the time since the network was made.
func (n *Network) now() time.Duration { return n.schedule.now() }

// arrival is when something arrives that is sent now.
func (n *Network) arrival(id uint64) time.Duration {
	now := n.now()
	chance := mix(n.config.Seed, id, uint64(now))
	most := uint64(n.config.Jitter + time.Microsecond)
	return now + n.config.Latency + time.Duration(chance%most)
}

func (n *Network) tell(d Dialled) {
	if n.config.Trace != nil {
		n.tracing.Lock()
		defer n.tracing.Unlock()
		n.config.Trace(d)
	}
}
