package hosts_test

import (
	"sync"
	"testing"
	"time"

	"dchat/p2p/hosts"
)

// Everything at once, for the race detector; and no address is ever in two
// hands.
func TestConcurrentUse(t *testing.T) {
	h := hosts.New(hosts.Settings{Dialable: []string{"tcp"}, KnownPeerPercent: 70, File: hostlist(t)}, nopLog, hosts.WithClock((&clock{now}).Now))
	must(t, h.Load(t.Context()))
	var all sync.WaitGroup
	var mu sync.Mutex
	held := map[string]bool{}
	for worker := range 8 {
		all.Go(func() {
			for i := range 200 {
				peer := stranger(200*worker + i)
				h.Asked(peer)
				tell(h, peer, lies(200*worker+i, 3)...)
				a, _, ok := h.Select(8)
				if !ok {
					continue
				}
				mu.Lock()
				if held[a.String()] {
					t.Errorf("%s is in two hands", a)
				}
				held[a.String()] = true
				mu.Unlock()
				must(t, h.Connected(a))
				h.Known(8, []string{"tcp"})
				mu.Lock()
				delete(held, a.String())
				mu.Unlock()
				if i%2 == 0 {
					h.Release(a)
				} else {
					h.Disconnected(a, time.Minute)
				}
			}
			h.Configure(nil, nil, hosts.Blacklist{})
			for i := range 50 {
				h.Offend(hosts.Offence{Peer: lies(200*worker+i, 1)[0], Inbound: true})
				h.Ours(lies(200*worker+50+i, 1)[0])
				if a, _, ok := h.SelectRefine(); ok {
					h.Silent(a)
				}
				h.Refused(target)
				h.Bans()
			}
			h.Unban("0.0.0.0/0")
			h.Resume()
			h.News()
			must(t, h.Save(t.Context()))
		})
	}
	all.Wait()
	must(t, h.Close())
}
