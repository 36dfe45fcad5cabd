package doctor

import (
	"context"
	"fmt"
	"sync"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/channel"
)

// seed asks a seed for addresses, as the node does when it knows none.
func (e *examination) seed(ctx context.Context, a addr.Addr) *finding {
	f := newFinding(StageSeed, a)
	if why := e.unfit(a); why != nil {
		return f.fail(StepDialable, *why, 0)
	}
	return e.probe(ctx, f, a, channel.Seed)
}

// peer looks whether a configured peer answers, unless it is connected.
func (e *examination) peer(ctx context.Context, a addr.Addr) *finding {
	f := newFinding(StagePeer, a)
	for _, ch := range e.channels {
		if ch.Addr() == a {
			f.checks = []Check{{Stage: StagePeer, Target: f.target, Status: OK,
				Detail: fmt.Sprintf("connected for %v, it runs %s", time.Since(ch.Created()).Truncate(time.Second), application(ch.Remote().AppName, ch.Remote().AppVersion))}}
			return f
		}
	}
	if why := e.unfit(a); why != nil {
		return f.fail(StepDialable, *why, 0)
	}
	return e.probe(ctx, f, a, channel.Refine)
}

// external looks whether this node answers at one of its own addresses.
func (e *examination) external(ctx context.Context, a addr.Addr) *finding {
	f := newFinding(StageExternal, a)
	skip := func(detail string) *finding {
		f.checks = []Check{{Stage: f.stage, Target: f.target, Status: Skip, Detail: detail}}
		return f
	}
	if ip, ok := a.IP(); ok && ip.IsUnspecified() {
		return skip("it stands for whatever IPv6 address peers see of this node")
	}
	if e.Node == nil {
		return skip("the daemon does not run")
	}
	endpoints, mixed := e.waysTo(f, a)
	if len(endpoints) == 0 {
		return skip("this node does not dial such addresses, and one that hides is asked in no other way")
	}
	if e.probe(ctx, f, a, channel.Refine); !f.failed && !mixed && direct(a.Scheme()) {
		f.checks[len(f.checks)-1].Advice = "This was tried from the machine itself. It does not prove that the router lets others in."
	}
	return f
}

// waysTo are the endpoints at which the node dials an address, and whether they are other
// ones than the address. Its own addresses are asked directly also where it would not
// dial such ones, unless it hides.
func (e *examination) waysTo(f *finding, a addr.Addr) (endpoints []addr.Addr, mixed bool) {
	routes := e.Settings.Routes()
	endpoints, mixed = routes.Of(a)
	if len(endpoints) == 0 && f.stage == StageExternal && !e.hides() {
		endpoints = []addr.Addr{a}
	}
	return endpoints, mixed
}

// probe goes through all the steps from a name to what the other end says: on every way
// that the node has to an address, at the same time, and on no other.
func (e *examination) probe(ctx context.Context, f *finding, a addr.Addr, kind channel.Kind) *finding {
	if e.Asking != nil {
		e.Asking(a)
	}
	endpoints, mixed := e.waysTo(f, a)
	ways := make([]*finding, len(endpoints))
	var group sync.WaitGroup
	for i, endpoint := range endpoints {
		ways[i] = &finding{stage: f.stage, target: f.target, endpoint: endpoint, mixed: mixed}
		group.Go(func() { e.follow(ctx, ways[i], a, kind) })
	}
	group.Wait()
	f.join(ways)
	return f
}

// follow goes one way to an address.
func (e *examination) follow(ctx context.Context, f *finding, a addr.Addr, kind channel.Kind) {
	scheme := f.endpoint.Scheme()
	switch {
	case !f.mixed:
	case e.Transports[scheme] == nil:
		f.failed = true
		f.note(StepRoute, Skip, fault{detail: fmt.Sprintf("%s is passed over: this program has no transport %q", show(f.endpoint), scheme)}, 0)
		return
	default:
		f.ok(StepRoute, "dialled as "+show(f.endpoint), 0)
	}
	limit, cancel := context.WithTimeout(ctx, e.Settings.Profile(scheme).ConnectTimeout)
	defer cancel()
	if !e.resolve(limit, f) {
		return
	}
	if conn, ok := e.connect(limit, f); ok {
		e.talk(ctx, limit, f, conn, a, kind)
	}
}
