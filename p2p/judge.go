package p2p

import (
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/channel"
	"dchat/p2p/hosts"
	"dchat/p2p/wire"
)

// judge bans the peer of a channel that ended for an offence, if the policy is
// strict. What is no offence: to be late, to leave, to be cut off inside a frame, a header
// that cannot be read, another network or version.
func (p *P2p) judge(ch *channel.Channel, reason error) {
	offence := (*wire.Error)(nil)
	if !errors.As(reason, &offence) || !bannable(offence.Kind) || p.settings.BanPolicy != BanStrict || ch.Kind() == channel.Refine {
		return
	}
	peer := zap.String("peer", ch.Addr().Redacted())
	if ch.Kind()&(channel.Manual|channel.Seed) != 0 {
		p.log.Warn("A configured peer broke the protocol; it is not banned, since it is configured", peer, zap.Error(offence))
		return
	}
	ban, banned := p.hosts.Offend(hosts.Offence{
		Peer:    ch.Addr(),
		Inbound: ch.Kind() == channel.Inbound,
		Shared:  p.shared(ch),
		Reason:  offence.Error(),
	})
	if !banned {
		p.log.Warn("A peer broke the protocol; it is not banned this time", peer, zap.Error(offence))
		return
	}
	p.log.Warn("Peer banned", zap.String("host", ban.Host), zap.Time("until", ban.Until.Truncate(time.Second)), zap.Int("offences", ban.Offences), zap.String("reason", ban.Reason))
}

// bannable tells offences from what an honest node of another network may do.
func bannable(k wire.Kind) bool {
	return k != wire.BadMagic && k != wire.BadHeader && k != wire.Mismatch
}

// shared tells whether others are connected from the host of a channel's peer.
func (p *P2p) shared(ch *channel.Channel) bool {
	return slices.ContainsFunc(p.Channels(), func(other *channel.Channel) bool {
		return other != ch && hosts.SameHost(other.Addr(), ch.Addr())
	})
}
