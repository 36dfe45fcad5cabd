package p2ptest

import (
	"context"
)

// Partition lets nothing pass between nodes of different groups any more. No
// connection ends by it: what is sent waits, and dialling gets no answer. Nodes in none of the groups
// reach everybody. It replaces an earlier partition.
func (n *Network) Partition(groups ...[]*Node) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, h := range n.hosts {
		h.group = 0
	}
	for i, group := range groups {
		for _, node := range group {
			node.process.host.group = i + 1
		}
	}
	n.release()
}

// Heal ends the partition. What waited arrives as if it was sent now.
func (n *Network) Heal() { n.Partition() }

// Cut resets the connections between two nodes, at both ends at once, and returns
// how many there were.
func (n *Network) Cut(a, b *Node) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := 0
	for c := range n.conns {
		if c.process == a.process && c.out.to == b.process {
			c.cut()
			count++
		}
	}
	return count
}

// Stall pulls the cable out of the node's host: nothing arrives or leaves, and no
// connection ends by it. To the others it is as if the process hung.
func (n *Node) Stall() { n.stall(true) }

// Resume ends Stall. What waited arrives as if it was sent now.
func (n *Node) Resume() { n.stall(false) }

func (n *Node) stall(on bool) {
	network := n.process.net
	network.mu.Lock()
	defer network.mu.Unlock()
	n.process.host.stalled = on
	network.release()
}

// Crash ends the node without any farewell, as kill -9 does: its connections are
// reset, in the middle of a frame if need be, and its port refuses. It returns
// when the node has stopped; Start starts it again, with what it knows. The
// error is Stop's.
func (n *Node) Crash(ctx context.Context) error {
	n.process.kill()
	err := n.Stop(ctx)
	n.process.net.mu.Lock()
	defer n.process.net.mu.Unlock()
	n.process.dead = false
	return err
}

// kill cuts a process off.
func (p *process) kill() {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	p.dead = true
	for _, l := range p.host.listeners {
		if l.process == p {
			l.close()
		}
	}
	for c := range p.net.conns {
		if c.process == p {
			c.leave(parcelReset)
		}
	}
}

// parted tells whether nothing passes between two hosts.
func (n *Network) parted(a, b *host) bool {
	return a.stalled || b.stalled || a.group != b.group && a.group != 0 && b.group != 0
}

func (n *Network) severed(a, b *process) bool { return n.parted(a.host, b.host) }

// release lets go what is stuck no longer.
func (n *Network) release() {
	for f := range n.held {
		if !n.severed(f.from, f.to) {
			f.resume()
		}
	}
}
