package hosts_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
)

// Whatever is done in whatever order, what is kept more than once agrees, and
// in the end nothing is left but what is on the lists.
func TestAnyOrderOfAllCalls(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			chance := rand.New(rand.NewPCG(seed, 0))
			wall := &clock{now}
			down := false
			h := hosts.New(hosts.Settings{
				Localnet: seed%5 == 4, Dialable: []string{"tcp"}, KnownPeerPercent: 70, DialNames: seed%2 == 0, BanTime: time.Minute,
				Unusable: func(a addr.Addr) bool { ip, ok := a.IP(); return down && ok && ip.Is6() },
			}, nopLog, hosts.WithClock(wall.Now), hosts.WithRand(rand.NewPCG(seed, 1)))
			all := cast()
			one := func() addr.Addr { return all[chance.IntN(len(all))] }
			calls := []func(){
				func() { tell(h, one(), one(), one(), one()) },
				func() { tell(h, one(), one(), one(), one()) },
				func() { h.Asked(one()) },
				func() { h.Select(8) },
				func() { h.Select(8) },
				func() { h.SelectRefine() },
				func() { h.SelectRefine() },
				func() { h.SelectRecheck(time.Minute) },
				func() { _ = h.Claim(one(), hosts.State(chance.IntN(5))) },
				func() { _ = h.Connected(one()) },
				func() { _ = h.Connected(one()) },
				func() { h.Disconnected(one(), time.Duration(chance.IntN(20))*time.Second) },
				func() { h.Failed(one()) },
				func() { h.Answered(one()) },
				func() { h.Silent(one()) },
				func() { h.Release(one()) },
				func() { h.Avoid(one(), time.Duration(chance.IntN(60))*time.Second) },
				func() { h.Known(8, []string{"tcp"}) },
				func() { wall.unix += chance.Int64N(10) },
				func() { down = chance.IntN(2) == 0 },
			}
			rare := []func(){
				h.Resume,
				func() { h.Ours(one()) },
				func() {
					h.Offend(hosts.Offence{Peer: one(), Inbound: chance.IntN(2) == 0, Shared: chance.IntN(2) == 0})
				},
				func() { h.Unban(one().String()) },
				func() { h.Configure([]addr.Addr{one()}, []addr.Addr{one()}, hosts.Blacklist{}) },
				func() { wall.unix += chance.Int64N(4 * 3600) },
			}
			for i := range 2000 {
				if chance.IntN(10) == 0 {
					rare[chance.IntN(len(rare))]()
				} else {
					calls[chance.IntN(len(calls))]()
				}
				h.Check(t.Fatalf)
				if err := h.Verify(); err != nil {
					t.Fatalf("after %d calls: %v", i+1, err)
				}
			}
			for _, a := range all {
				h.Release(a)
				h.Drop(a)
			}
			if n := h.Traces(); n != 0 {
				t.Errorf("%d traces are left of what is gone", n)
			}
		})
	}
}

// cast are addresses of all kinds, crowded enough for all limits to matter.
func cast() (all []addr.Addr) {
	for i := range 60 {
		all = append(all,
			ad("tcp://%d.7.1.%d:%d", 11+i%7, 1+i/20, 1+i%6),
			ad("tcp://%d.%d.1.1:1", 40+i%3, i),
			ad("tcp://[2a00:%x:2:%x::1]:1", i%5, i),
			ad("tcp://n%d.example.com:1", i%20),
			ad("quic://%d.8.1.%d:1", 11+i%7, i),
		)
	}
	return append(all, ad("tcp://127.0.0.1:1"), ad("tcp://10.0.0.1:1"), ad("unix:///run/a.sock"), ad("tor://%s:1", onion))
}
