package p2p_test

import (
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"

	"dchat/p2p"
	"dchat/p2p/p2ptest"
	"dchat/p2p/transport"
)

// resources are what a program must give back.
type resources struct{ goroutines, descriptors int }

func used(t *testing.T) resources {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return resources{runtime.NumGoroutine(), len(entries)}
}

// wantBack waits until no more is in use than before.
func (r resources) wantBack(t *testing.T) {
	t.Helper()
	var now resources
	eventually(t, "everything is given back", func() bool {
		now = used(t)
		return now.goroutines <= r.goroutines && now.descriptors <= r.descriptors
	})
	t.Logf("before %+v, after %+v", r, now)
}

func TestR12FiveHundredConnectionsComeAndGo(t *testing.T) {
	n := startNode(t, transport.Default(), func(s *p2p.Settings) { s.InboundConnections = 64 })
	n.greeted()
	before := used(t)
	var comers sync.WaitGroup
	for range 10 {
		comers.Go(func() {
			for range 50 {
				comeAndGo(t, n)
			}
		})
	}
	comers.Wait()
	before.wantBack(t)
	eventually(t, "the one that stayed is the only peer", func() bool { return len(n.Channels()) == 1 })
	n.broadcast("still there", 1)
}

// comeAndGo connects and leaves at some point of the conversation, in some way.
func comeAndGo(t *testing.T, n *node) {
	conn, err := n.set.Dial(t.Context(), n.Addrs()[0])
	if err != nil {
		t.Errorf("dial: %v", err)
		return
	}
	p := p2ptest.NewPeer(t, conn)
	steps := [][]byte{
		p.Frame(&p.Version), p.Frame(&p.Verack), p.Frame(&text{"hello"}),
		p.Frame(&text{"cut"})[:7], []byte("nonsense"),
	}
	for _, b := range steps[:rand.IntN(len(steps)+1)] {
		if p.TryWrite(b) != nil {
			break
		}
		if rand.IntN(2) == 0 {
			if _, err := p.TryRead(); err != nil {
				break
			}
		}
	}
	if rand.IntN(4) == 0 {
		_ = p.Conn().CloseWrite() // gone already, maybe
		for {
			if _, err := p.TryRead(); err != nil {
				break
			}
		}
	}
	p.Close(rand.IntN(2) == 0)
}
