// Package doctor says why a node is not connected: it looks at the configuration
// and the running node, and asks each seed, peer and external address as the node
// would, stage by stage. Everything it finds comes with what to do about it.
//
// It is a polite peer: it shakes hands, asks seeds for a few addresses, and closes
// between two frames. It changes nothing of the node.
package doctor

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/hosts"
	"dchat/p2p/session"
	"dchat/p2p/transport"
)

// Longest bounds an examination; what has not been found out by then is reported
// as that.
const Longest = 20 * time.Second

// settleTime is how long connections that were closed may take to be gone.
const settleTime = time.Second

// Node is what is looked at of a node that runs; a *p2p.P2p is one.
type Node interface {
	State() p2p.State
	Addrs() []addr.Addr
	Channels() []*channel.Channel
	Slots() []session.Slot
	Hosts() *hosts.Hosts
}

// Resolver looks up names; a *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Patient is what is examined.
type Patient struct {
	// File is the configuration file, empty when there is none, and Warnings what
	// was noted when it was loaded. Fault says why it could not be loaded, a line
	// for each reason; then nothing else is examined but the daemon.
	File     string
	Warnings []string
	Fault    error

	Settings p2p.Settings

	// Node is the node that runs on the settings. Without one the examination is
	// from outside, and Daemon is reported as the reason.
	Node   Node
	Daemon Check

	// Transports make the connections; nil is what transport.DefaultVia offers over
	// the proxies of the settings. Resolver looks up the names that are not left to a
	// proxy; nil is the system's.
	Transports transport.Set
	Resolver   Resolver

	// Asking, when not nil, is told of each address before it is asked.
	Asking func(addr.Addr)
}

// Examine finds out what it can within Longest, or until ctx ends, and a few seconds
// more for closing connections. It needs no lock and may run several times at once.
func Examine(ctx context.Context, p Patient) Report {
	ctx, cancel := context.WithTimeout(ctx, Longest)
	defer cancel()
	if p.Transports == nil {
		p.Transports = transport.DefaultVia(transport.Options{Tor: p.Settings.TorSocks5Proxy, I2P: p.Settings.I2PSocks5Proxy})
	}
	if p.Resolver == nil {
		p.Resolver = net.DefaultResolver
	}
	e := &examination{Patient: p}
	e.configuration()
	e.daemon()
	if p.Fault == nil {
		if p.Node != nil {
			e.channels = p.Node.Channels()
		}
		e.everything(ctx)
		settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
		defer cancel()
		p.Transports.Settle(settling)
	}
	return Report{Summary: e.summary(), Connected: len(e.channels), Checks: e.checks}
}

// examination is one on its way.
type examination struct {
	Patient
	channels []*channel.Channel // the peers, at the beginning
	checks   []Check
	seeds    []*finding
	peers    []*finding
}

func (e *examination) add(c Check) { e.checks = append(e.checks, c) }

// everything asks all addresses at the same time, and reports in the order of the
// stages.
func (e *examination) everything(ctx context.Context) {
	var group sync.WaitGroup
	listening := e.eachAtOnce(ctx, &group, e.inbound(), e.listen)
	e.seeds = e.eachAtOnce(ctx, &group, e.Settings.Seeds, e.seed)
	e.peers = e.eachAtOnce(ctx, &group, e.Settings.Peers, e.peer)
	external := e.eachAtOnce(ctx, &group, e.Settings.ExternalAddrs, e.external)
	group.Wait()

	e.addFindings(listening)
	if len(listening) == 0 {
		e.add(Check{Stage: StageListening, Status: Skip, Detail: "not configured: nobody can connect to this node, it can only connect to others"})
	}
	e.addFindings(e.seeds)
	e.addFindings(e.peers)
	e.running()
	e.giveaways()
	e.addFindings(external)
	if len(external) == 0 {
		e.add(Check{Stage: StageExternal, Status: Skip, Detail: "none: others cannot find this node, which is fine if it is only to connect to others"})
	}
	e.clock()
}

// inbound are the addresses to listen at, with the ports really taken if there are
// any.
func (e *examination) inbound() []addr.Addr {
	if e.Node != nil && e.Node.State() == p2p.Running {
		return e.Node.Addrs()
	}
	return e.Settings.Inbound
}

// eachAtOnce begins to look at each address, and returns where the findings will
// be once the group is done.
func (e *examination) eachAtOnce(ctx context.Context, group *sync.WaitGroup, addrs []addr.Addr, look func(context.Context, addr.Addr) *finding) []*finding {
	findings := make([]*finding, len(addrs))
	for i, a := range addrs {
		group.Go(func() { findings[i] = look(ctx, a) })
	}
	return findings
}

func (e *examination) addFindings(findings []*finding) {
	for _, f := range findings {
		e.checks = append(e.checks, f.checks...)
	}
}

// daemon says whether there is a node to look into.
func (e *examination) daemon() {
	switch {
	case e.Node == nil:
		e.Daemon.Stage = StageDaemon
		e.Daemon.Detail = cmp.Or(e.Daemon.Detail, "no daemon was asked")
		e.Daemon.Status = cmp.Or(e.Daemon.Status, Fail)
		e.add(e.Daemon)
	case e.Node.State() != p2p.Running:
		e.add(Check{Stage: StageDaemon, Status: Fail, Detail: "its node is " + e.Node.State().String(), Advice: tryAgain})
	default:
		e.add(Check{Stage: StageDaemon, Status: OK, Detail: "it runs and answers"})
	}
}

const tryAgain = "Try again in a moment."

// show is an address as people read it, without secrets.
func show(a addr.Addr) string { return strings.TrimSuffix(a.Redacted(), "/") }
