package p2p

import (
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/hosts"
	"dchat/p2p/protocol"
	"dchat/p2p/session"
)

// clone returns a copy that shares nothing with the original.
func (s Settings) clone() Settings {
	s.Inbound = slices.Clone(s.Inbound)
	s.ExternalAddrs = slices.Clone(s.ExternalAddrs)
	s.Peers = slices.Clone(s.Peers)
	s.Seeds = slices.Clone(s.Seeds)
	s.ActiveProfiles = slices.Clone(s.ActiveProfiles)
	s.MixedProfiles = slices.Clone(s.MixedProfiles)
	s.Profiles = maps.Clone(s.Profiles)
	s.Blacklist = slices.Clone(s.Blacklist)
	if s.GetAddrsMax != nil {
		n := *s.GetAddrsMax
		s.GetAddrsMax = &n
	}
	return s
}

// env is what the node's sessions share.
func (p *P2p) env() *session.Env {
	s := &p.settings
	return &session.Env{
		Node:         p,
		Registry:     p.registry,
		Transports:   p.transports,
		Events:       &p.events,
		Log:          p.log,
		Magic:        s.MagicBytes,
		Identity:     protocol.Identity{NodeID: s.NodeID, AppName: s.AppName, AppVersion: s.AppVersion},
		HideFeatures: s.HideFeatures,
		External:     p.external,
		Routes:       s.Routes(),
		Families:     p.families,
		Localnet:     s.Localnet,
		Refused:      p.hosts.Refused,
		Hosts:        p.hosts,
		Question:     p.exchange.Question,
		Jitter:       p.jitter,
		Alone:        p.aloneFor,
		SeedNode:     s.SeedNode,

		DiscoveryAttempt:      s.DiscoveryAttempt,
		DiscoveryCooloff:      s.DiscoveryCooloff,
		RefineryInterval:      s.RefineryInterval,
		TimeWithNoConnections: s.TimeWithNoConnections,

		Profile:      s.Profile,
		WriteTimeout: s.WriteTimeout,
		SendQueue:    s.SendQueue,
		MaxMessage:   s.MaxMessage,
	}
}

// heartbeat returns the time between the pings of a channel and how long an
// answer may take.
func (p *P2p) heartbeat(ch *channel.Channel) (interval, patience time.Duration) {
	profile := p.settings.Profile(ch.Addr().Scheme())
	return profile.HeartbeatInterval, profile.ConnectTimeout
}

// handshakeTimeout bounds the handshake of a channel.
func (p *P2p) handshakeTimeout(ch *channel.Channel) time.Duration {
	return p.settings.Profile(ch.Addr().Scheme()).HandshakeTimeout
}

// ask is how many addresses a peer is asked for.
func (p *P2p) ask() uint32 {
	if p.settings.GetAddrsMax != nil {
		return *p.settings.GetAddrsMax
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return uint32(p.settings.OutboundConnections)
}

// jitter returns a random time from 0 to most.
func (p *P2p) jitter(most time.Duration) time.Duration {
	return time.Duration(p.random.Int64N(int64(most) + 1))
}

// dialable returns the schemes of the addresses that this node can dial, each once.
func (p *P2p) dialable() []string {
	routes := p.settings.Routes()
	return routes.Schemes(func(scheme string) bool { return p.transports[scheme] != nil })
}

// leadsNowhere tells whether an address is in vain to dial just now.
func (p *P2p) leadsNowhere(a addr.Addr) bool {
	routes := p.settings.Routes()
	_, mixed := routes.Of(a)
	return !mixed && p.families.Skips(a)
}

func (p *P2p) hostSettings() hosts.Settings {
	s := &p.settings
	blacklist, err := hosts.NewBlacklist(s.Blacklist)
	if err != nil { // validated, so it cannot be
		p.log.Error("Blacklist entries left out", zap.Error(err))
	}
	return hosts.Settings{
		Localnet:         s.Localnet,
		Dialable:         p.dialable(),
		External:         s.ExternalAddrs,
		Peers:            s.Peers,
		Seeds:            s.Seeds,
		Blacklist:        blacklist,
		KnownPeerPercent: s.KnownPeerPercent,
		DisableGreys:     s.DisableGreys,
		DialNames:        s.DialNames,
		BanTime:          s.BanTime,
		Unusable:         p.leadsNowhere,
		File:             s.Hostlist,
	}
}
