package p2p

import (
	"context"
	"errors"

	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/portmap"
)

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
