package session

import (
	"context"
	"sync"
	"time"

	"dchat/p2p/dnet"
)

// discovery looks for addresses while an outbound slot has none to dial. It asks
// the peers and the seeds, at once when it is needed and then at intervals that
// double for as long as nothing new is heard.
type discovery struct {
	env   *Env
	seeds *SeedSync
	retry backoff

	attempt  int       // of this search
	asked    int       // times that the peers were asked since the seeds were
	peersAt  time.Time // when the peers were asked last, or the search began: each was asked when it came
	searched time.Time // when the last attempt was

	mu    sync.Mutex
	empty int // slots that have no address to dial
	woken chan struct{}
}

// eager is how many attempts of a search ask the seeds as well as the peers: when
// a network forms, others come to be known within seconds.
const eager = 3

func newDiscovery(env *Env, seeds *SeedSync) *discovery {
	return &discovery{
		env:   env,
		seeds: seeds,
		retry: backoff{first: time.Second, last: env.DiscoveryCooloff, jitter: env.Jitter},
		woken: make(chan struct{}, 1),
	}
}

// hungry says that a slot has no address to dial.
func (d *discovery) hungry() {
	d.mu.Lock()
	d.empty++
	d.mu.Unlock()
	select {
	case d.woken <- struct{}{}:
	default:
	}
}

// satisfied undoes hungry.
func (d *discovery) satisfied() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.empty--
}

func (d *discovery) needed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.empty > 0
}

// run searches whenever it is needed, until ctx ends.
func (d *discovery) run(ctx context.Context) {
	for ctx.Err() == nil {
		if !d.needed() {
			d.attempt, d.peersAt = 0, time.Time{}
			d.emit(dnet.Waiting)
			select {
			case <-d.woken:
			case <-ctx.Done():
			}
			if time.Since(d.searched) > 2*d.env.DiscoveryCooloff {
				d.retry.reset()
			}
			continue
		}
		d.search(ctx)
	}
}

// search makes one attempt and waits for what comes of it.
func (d *discovery) search(ctx context.Context) {
	before, _ := d.env.Hosts.News()
	d.attempt++
	d.searched = time.Now()
	if d.peersAt.IsZero() {
		d.peersAt = d.searched
	}
	peers := d.env.Node.Channels()
	seeds := len(peers) == 0 || d.asked >= 2
	if !seeds && d.searched.Sub(d.peersAt) >= d.env.DiscoveryAttempt {
		d.emit(dnet.AskingPeers)
		d.asked++
		d.peersAt = d.searched
		d.env.askPeers(peers)
	}
	if seeds || d.attempt <= eager {
		d.emit(dnet.AskingSeeds)
		d.asked = 0
		d.seeds.Ask(ctx)
	}
	pause := d.retry.grow()
	d.emit(dnet.Waiting)
	sleep(ctx, pause+d.env.Jitter(pause/5))
	if now, _ := d.env.Hosts.News(); now != before {
		d.retry.reset()
	}
}

func (d *discovery) emit(state string) {
	d.env.Events.Emit(dnet.Event{Name: dnet.OutboundDiscovery, Attempt: d.attempt, State: state})
}
