package p2p

import (
	"context"
	"errors"
	"os"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/hosts"
)

// saveInterval is the time between two saves of the host list.
const saveInterval = 10 * time.Minute

// openStore makes the node's directory and reads the host list. Only another
// process that uses the list is an error: without a disk a node still works.
func (p *P2p) openStore(ctx context.Context) error {
	if dir := p.settings.Datastore; dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			p.log.Warn("Cannot make the datastore", zap.Error(err))
		}
	}
	err := p.hosts.Load(ctx)
	if locked := (*hosts.LockedError)(nil); errors.As(err, &locked) {
		return err
	}
	if err != nil {
		p.log.Warn("Cannot read the host list; known addresses will not survive a restart", zap.String("file", p.settings.Hostlist), zap.Error(err))
	}
	return nil
}

// knowsNobody tells whether the node has nobody to connect to or to ask, and does
// not wait to be connected to either.
func (p *P2p) knowsNobody() bool {
	s := &p.settings
	known := p.hosts.Len(hosts.Gold) + p.hosts.Len(hosts.White) + p.hosts.Len(hosts.Grey)
	return len(s.Inbound)+len(s.Peers)+len(s.Seeds)+known == 0
}

// keepStore saves the host list from time to time, until ctx ends.
func (p *P2p) keepStore(ctx context.Context) {
	ticker := time.NewTicker(saveInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.saveStore()
		case <-ctx.Done():
			return
		}
	}
}

func (p *P2p) saveStore() {
	if err := p.hosts.Save(context.Background()); err != nil {
		p.log.Warn("Cannot save the host list", zap.String("file", p.settings.Hostlist), zap.Error(err))
	}
}

func (p *P2p) closeStore() {
	if err := p.hosts.Close(); err != nil {
		p.log.Warn("Cannot release the host list", zap.Error(err))
	}
}
