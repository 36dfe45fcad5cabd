package p2p

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"

	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/portmap"
)

// ownIPv6 finds out the node's own IPv6 address. Peers say by which address they
// see us; what one says may be a lie, so it counts when several from different
// networks that we chose to connect to say the same, or when it is what our own end
// of the connection is called, so that there was nobody to translate addresses. It
// is safe for concurrent use.
type ownIPv6 struct {
	localnet bool // where addresses of all kinds count, and one peer is enough

	mu    sync.Mutex
	votes []vote // one of each network, the last of which came last
	ip    netip.Addr
}

// vote is what a peer says our address is.
type vote struct {
	network netip.Prefix // the peer's
	ip      netip.Addr
	certain bool // our end of the connection has this address
}

const (
	mostVotes   = 20
	networkBits = 32 // of an IPv6 address: what one operator may well have all of
	majority    = 3  // so many networks must say the same
)

// asked are the sessions whose peers are believed, when there are several: those
// that we chose. Whoever came to us, or was only tried, is not.
const asked = channel.Outbound | channel.Manual | channel.Direct | channel.Seed

// heard takes what the peer of a channel, whose handshake is done, says.
func (o *ownIPv6) heard(ch *channel.Channel) {
	ip, ok := ch.Remote().ConnectRecvAddr.IP()
	local, remote := ch.Sockets()
	if !ok || !o.fits(ip) || !remote.Addr().Is6() {
		return
	}
	network, err := remote.Addr().WithZone("").Prefix(networkBits)
	certain := local.Addr().WithZone("") == ip
	if err == nil && (certain || ch.Kind()&asked != 0) {
		o.count(vote{network, ip, certain})
	}
}

// fits tells whether an address can be that of a node.
func (o *ownIPv6) fits(ip netip.Addr) bool {
	if o.localnet {
		return ip.Is6() && !ip.Is4In6() && !ip.IsUnspecified() && !ip.IsMulticast()
	}
	return ip.Is6() && addr.IsGlobalIP(ip)
}

// count takes a vote, in place of an older one of the same network.
func (o *ownIPv6) count(v vote) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.votes = slices.DeleteFunc(o.votes, func(other vote) bool { return other.network == v.network })
	o.votes = append(o.votes, v)
	o.votes = o.votes[max(0, len(o.votes)-mostVotes):]
	best, rank := o.ip, 0
	for _, candidate := range o.votes {
		r := o.rank(candidate.ip)
		if r > rank || r == rank && best != o.ip && r > 0 {
			best, rank = candidate.ip, r
		}
	}
	o.ip = best
}

// rank says how well an address is attested: by how many networks, 0 when they are
// too few; what is certain is above all that is not.
func (o *ownIPv6) rank(ip netip.Addr) int {
	n, certain := 0, false
	for _, v := range o.votes {
		if v.ip == ip {
			n++
			certain = certain || v.certain
		}
	}
	switch {
	case certain:
		return mostVotes + n
	case n >= majority || o.localnet:
		return n
	}
	return 0
}

// fill puts the address that was found out, if any, in place of [::].
func (o *ownIPv6) fill(a addr.Addr) addr.Addr {
	port, _ := a.Port()
	if a.Hostname() != "::" {
		return a
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.ip.IsValid() {
		return a
	}
	return addr.FromIP(a.Scheme(), netip.AddrPortFrom(o.ip, port))
}

// mostExternal is how many addresses of its own a node has: more do not fit in a
// handshake.
const mostExternal = 10

// external are the addresses by which others reach this node: those of the
// settings, with its IPv6 address in place of [::] once it is known, and the port
// that is listened on in place of 0; and then those at which ports are mapped.
func (p *P2p) external() []addr.Addr {
	var addrs []addr.Addr
	for _, a := range p.settings.ExternalAddrs {
		if port, ok := a.Port(); ok && port == 0 {
			if a, ok = p.bound(a); !ok {
				continue
			}
		}
		addrs = append(addrs, p.own.fill(a))
	}
	for _, a := range p.MappedAddrs() {
		if len(addrs) < mostExternal && !slices.Contains(addrs, a) {
			addrs = append(addrs, a)
		}
	}
	return addrs
}

// bound gives an address the port of the first inbound address of its scheme.
func (p *P2p) bound(a addr.Addr) (addr.Addr, bool) {
	for _, inbound := range p.Addrs() {
		if port, ok := inbound.Port(); ok && inbound.Scheme() == a.Scheme() {
			return a.WithPort(port)
		}
	}
	return addr.Addr{}, false
}

// mapper keeps the ports of a run mapped; nil when the settings do not want that.
func (p *P2p) mapper(r *run) *portmap.Mapper {
	if !p.settings.PortMapping {
		return nil
	}
	return portmap.New(portmap.Config{
		Listening: func() []addr.Addr { return r.inbound.Addrs() },
		Search:    p.gateways,
		Changed:   func() { p.announce(r) },
		Localnet:  p.settings.Localnet,
		Log:       p.log,
	})
}

// MappedAddrs returns the addresses at which a router passes connections on to this
// node now; none unless it runs, and PortMapping is set.
func (p *P2p) MappedAddrs() []addr.Addr {
	r := p.running()
	if r == nil || r.mapper == nil {
		return nil
	}
	return r.mapper.External()
}

// announce tells the addresses of this node to those that were told others, or none,
// because a port was mapped only after they were connected to.
func (p *P2p) announce(r *run) {
	if len(p.MappedAddrs()) == 0 {
		return
	}
	r.seeds.Ask(r.ctx)
	for _, ch := range p.Channels() {
		if ch.Kind() != channel.Outbound {
			continue
		}
		ch.Go(func(ctx context.Context) {
			if err := ch.Send(ctx, p.exchange.Own()); err != nil && !errors.Is(err, channel.ErrQueueFull) {
				ch.Close(err)
			}
		})
	}
}
