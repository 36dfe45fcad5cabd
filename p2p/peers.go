package p2p

import (
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/channel"
	"dchat/p2p/session"
)

// Begun is for the node's sessions.
func (p *P2p) Begun(ch *channel.Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.channels[ch] = struct{}{}
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
	delete(p.channels, ch)
	if ch.Opened() {
		if p.open--; p.open == 0 {
			p.alone = time.Now()
		}
	}
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
