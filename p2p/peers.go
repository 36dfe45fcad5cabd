package p2p

import (
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/channel"
	"dchat/p2p/hosts"
	"dchat/p2p/session"
	"dchat/p2p/wire"
)

// Begun is for the node's sessions.
func (p *P2p) Begun(ch *channel.Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.channels[ch] = false
	if p.run.ctx.Err() != nil {
		ch.Close(channel.ErrStopped) // it came while the others were closed
	}
}

// Opened is for the node's sessions.
func (p *P2p) Opened(ch *channel.Channel) error {
	level := zap.InfoLevel
	if ch.Kind()&channel.Default == 0 || p.settings.SeedNode {
		level = zap.DebugLevel
	}
	p.log.Log(level, "Connected", zap.String("peer", ch.Addr().Redacted()), zap.Stringer("session", ch.Kind()))
	p.own.heard(ch)
	p.mu.Lock()
	p.channels[ch] = true
	p.open++
	if ch.Kind()&channel.Default != 0 {
		p.twins.add(ch)
		p.setPeers(append(slices.Clip(*p.peers.Load()), ch))
	}
	p.mu.Unlock()
	if ch.Kind() != channel.Inbound {
		ch.OnEnd(func() { p.leaving(ch) })
	}
	return nil
}

// leaving lets the twins of a channel that begins to end be sent to again; Ended
// comes when the channel has sent all it had to send.
func (p *P2p) leaving(ch *channel.Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.twins.remove(ch)
	p.aim()
}

// Ended is for the node's sessions.
func (p *P2p) Ended(ch *channel.Channel, reason error) {
	p.judge(ch, reason)
	if errors.Is(reason, session.ErrSelf) && ch.Kind() != channel.Inbound {
		p.hosts.Ours(ch.Addr())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.channels[ch] { // Opened was called, which it is not for every channel that is open
		if p.open--; p.open == 0 {
			p.alone = time.Now()
		}
	}
	delete(p.channels, ch)
	if slices.Contains(*p.peers.Load(), ch) {
		p.twins.remove(ch)
		p.setPeers(slices.DeleteFunc(slices.Clone(*p.peers.Load()), func(other *channel.Channel) bool { return other == ch }))
	}
}

// aloneFor is how long there has been no connection at all; 0 while there is one.
func (p *P2p) aloneFor() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open > 0 {
		return 0
	}
	return time.Since(p.alone)
}

// setPeers is called under mu.
func (p *P2p) setPeers(peers []*channel.Channel) {
	p.peers.Store(&peers)
	p.aim()
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// aim finds out whom broadcasts go to; under mu.
func (p *P2p) aim() {
	targets := p.twins.targets(*p.peers.Load())
	p.targets.Store(&targets)
}

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
