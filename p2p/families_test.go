package p2p_test

import (
	"context"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// oneFamily is a network where, while it is so, one family leads nowhere. It counts
// the dials that find out.
type oneFamily struct {
	transport.Transport
	dead  func(addr.Addr) bool
	down  atomic.Bool
	tries atomic.Int32
}

func (f *oneFamily) Dial(ctx context.Context, a addr.Addr) (transport.Conn, error) {
	if f.dead(a) && f.down.Load() {
		f.tries.Add(1)
		return nil, &transport.Error{Op: "dial", Addr: a, Err: syscall.ENETUNREACH}
	}
	return f.Transport.Dial(ctx, a)
}

func TestN8AFamilyThatComesBackIsUsedWithinTenMinutes(t *testing.T) {
	is6 := func(a addr.Addr) bool { ip, _ := a.IP(); return ip.Is6() }
	is4 := func(a addr.Addr) bool { return !is6(a) }
	for name, dead := range map[string]func(addr.Addr) bool{"IPv6 is away": is6, "IPv4 is away": is4} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := internet{transport.NewMem()}
				network := &oneFamily{Transport: world.from("1.0.0.1")[addr.TCP], dead: dead}
				network.down.Store(true)
				n := startNode(t, transport.Set{addr.TCP: network}, slots(8), func(s *p2p.Settings) { s.Localnet = false })
				for _, ip := range []string{"1.1.0.1", "1.2.0.1", "[2600:1::1]", "[2600:2::1]"} {
					l, err := world.mem.Listen(t.Context(), addr.MustParse("tcp://"+ip+":7000"))
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { _ = l.Close() })
					serving(t, l)
					n.hears(l.Addr())
				}
				<-time.After(time.Minute)
				if got := len(n.Channels()); got != 2 {
					t.Fatalf("%d peers, want the two that can be reached", got)
				}
				<-time.After(time.Hour)
				// Three to find out, then one each five minutes, when all slots look at once.
				t.Logf("%d dials went nowhere", network.tries.Load())
				if got := network.tries.Load(); got < 10 || got > 40 {
					t.Errorf("%d dials in an hour went nowhere, want about one each five minutes", got)
				}
				network.down.Store(false)
				<-time.After(10 * time.Minute)
				if got := len(n.Channels()); got != 4 {
					t.Errorf("%d peers ten minutes after the family came back, want all 4", got)
				}
			})
		})
	}
}
