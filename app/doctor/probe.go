package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/hosts"
	"dchat/p2p/transport"
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
	if e.probe(ctx, f, a, channel.Refine); !f.failed {
		f.checks[len(f.checks)-1].Advice = "This was tried from the machine itself. It does not prove that the router lets others in."
	}
	return f
}

// unfit says why the node never dials an address.
func (e *examination) unfit(a addr.Addr) *fault {
	scheme := a.Scheme()
	if e.Transports[scheme] == nil {
		return &fault{fmt.Sprintf("this program has no transport %q", scheme), "Write the address with one of " + strings.Join(e.Transports.Schemes(), ", ") + "."}
	}
	if !slices.Contains(e.Settings.ActiveProfiles, scheme) {
		return &fault{fmt.Sprintf("%q is not among the active profiles", scheme),
			fmt.Sprintf("Add %q to active_profiles and the table [net.profiles.%q] to the configuration.", scheme, scheme)}
	}
	if slices.Contains(e.Settings.ExternalAddrs, a) || slices.Contains(e.inbound(), a) {
		return &fault{"it is an address of this node itself", "Take it from the configuration: nothing comes of it."}
	}
	if blacklist, err := hosts.NewBlacklist(e.Settings.Blacklist); err == nil && blacklist.Has(a) {
		return &fault{"it is on your blacklist", "Take it from the blacklist in the configuration."}
	}
	if e.Node != nil && e.Node.Hosts().Refused(a) {
		return &fault{"this node has banned it", "See `dchat bans` for the reason and how to lift it."}
	}
	return nil
}

// probe goes through all the steps from a name to what the other end says.
func (e *examination) probe(ctx context.Context, f *finding, a addr.Addr, kind channel.Kind) *finding {
	if e.Asking != nil {
		e.Asking(a)
	}
	limit, cancel := context.WithTimeout(ctx, e.Settings.Profile(a.Scheme()).ConnectTimeout)
	defer cancel()
	if !e.resolve(limit, f, a) {
		return f
	}
	if conn, ok := e.connect(limit, f, a); ok {
		e.talk(ctx, limit, f, conn, kind)
	}
	return f
}

// resolve looks a name up, where the node would look it up itself: one that goes
// through a proxy must not be asked of anybody else.
func (e *examination) resolve(ctx context.Context, f *finding, a addr.Addr) bool {
	_, isIP := a.IP()
	direct := a.Scheme() == addr.TCP || a.Scheme() == addr.TCPTLS || a.Scheme() == addr.QUIC
	if isIP || !direct || f.stage != StageExternal && !slices.Contains(e.Settings.ActiveProfiles, a.Scheme()) {
		return true
	}
	began := time.Now()
	ips, err := e.Resolver.LookupNetIP(ctx, "ip", a.Hostname())
	took := time.Since(began)
	if err != nil {
		f.fail(StepResolve, e.words(f, err, took), took)
		return false
	}
	f.ok(StepResolve, list(ips), took)
	return true
}

// list names the first few IP addresses.
func list(ips []netip.Addr) string {
	const most = 4
	var texts []string
	for _, ip := range ips[:min(most, len(ips))] {
		texts = append(texts, ip.Unmap().String())
	}
	if more := len(ips) - most; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, ", ")
}

// connect dials as the node does. With TLS it tells a connection that cannot be made
// from one on which the handshake fails.
func (e *examination) connect(ctx context.Context, f *finding, a addr.Addr) (transport.Conn, bool) {
	t, carrier := e.Transports[a.Scheme()], (*stopwatch)(nil)
	if t == nil {
		err := &transport.UnsupportedError{Scheme: a.Scheme(), Available: e.Transports.Schemes()}
		f.fail(StepConnect, fault{detail: err.Error()}, 0)
		return nil, false
	}
	if secure, ok := t.(*transport.TLS); ok {
		carrier = &stopwatch{Transport: secure.Over}
		t = &transport.TLS{Over: carrier}
	}
	began := time.Now()
	conn, err := t.Dial(ctx, a)
	if carrier != nil && carrier.conn != nil {
		f.ok(StepConnect, carrier.conn.RemoteAddr().String(), carrier.done.Sub(began))
		began = carrier.done
	}
	took := time.Since(began)
	switch step := stepOf(carrier); {
	case err != nil:
		f.fail(step, e.words(f, err, took), took)
	case step == StepTLS:
		f.ok(step, "the certificate is of the right kind", took)
	default:
		f.ok(step, conn.RemoteAddr().String(), took)
	}
	return conn, err == nil
}

// stepOf is where a dial over a carrier, if it has one, was at its end.
func stepOf(carrier *stopwatch) string {
	if carrier != nil && carrier.conn != nil {
		return StepTLS
	}
	return StepConnect
}

// stopwatch notes when the one dial over it was done.
type stopwatch struct {
	transport.Transport
	conn transport.Conn
	done time.Time
}

// Dial implements transport.Transport.
func (s *stopwatch) Dial(ctx context.Context, a addr.Addr) (transport.Conn, error) {
	conn, err := s.Transport.Dial(ctx, a)
	if err == nil {
		s.conn, s.done = conn, time.Now()
	}
	return conn, err
}
