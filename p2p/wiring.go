package p2p

import (
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

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
		Active:       s.ActiveProfiles,
		Refused:      p.hosts.Refused,
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

// dialable returns the schemes of the addresses that this node can dial, each once.
func (p *P2p) dialable() []string {
	s := &p.settings
	var schemes []string
	for _, scheme := range hosts.Dialable(s.ActiveProfiles, s.MixedProfiles, !s.TorSocks5Proxy.IsZero(), !s.NymSocks5Proxy.IsZero()) {
		if p.transports[scheme] != nil && !slices.Contains(schemes, scheme) {
			schemes = append(schemes, scheme)
		}
	}
	return schemes
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
		File:             s.Hostlist,
	}
}
