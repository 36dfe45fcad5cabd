package p2p_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/hosts"
	"dchat/p2p/wire"
)

// knows makes the node have been connected to so many addresses, and as many others have
// answered it. Their names are as long as names can be, so that not all fit in one message.
func (n *node) knows(count int) {
	n.t.Helper()
	for i := range count {
		name := fmt.Sprintf("tcp://%d.%s.example:1", i, strings.TrimSuffix(strings.Repeat(strings.Repeat("n", 60)+".", 3), "."))
		gold, white := addr.MustParse(strings.Replace(name, "//", "//g", 1)), addr.MustParse(strings.Replace(name, "//", "//w", 1))
		if err := n.Hosts().Connected(gold); err != nil {
			n.t.Fatal(err)
		}
		n.Hosts().Answered(white)
	}
	if got := n.Hosts().Len(hosts.Gold) + n.Hosts().Len(hosts.White); got != 2*count {
		n.t.Fatalf("%d addresses are known, want %d", got, 2*count)
	}
}

// A question may ask for any number; the answer has no more than twice as many addresses, and
// is never longer than peers take.
func TestAnAnswerIsNoLongerThanPeersTake(t *testing.T) {
	for _, c := range []struct {
		asked       uint32
		least, most int
	}{{0, 0, 0}, {3, 6, 6}, {100, 200, 200}, {math.MaxUint32, 250, 509}} {
		t.Run(fmt.Sprint(c.asked), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := startNode(t, memory())
				n.knows(300)
				p := n.greeted()
				p.Send(&wire.GetAddr{Max: c.asked, Transports: []string{addr.TCP}})
				for {
					m := p.Read()
					if m.Command != wire.CommandAddr {
						continue
					}
					var answer wire.Addrs
					if err := answer.Decode(m.Payload); err != nil {
						t.Fatal(err)
					}
					if got := len(answer.Entries); got < c.least || got > c.most || len(m.Payload) > answer.Spec().MaxPayload {
						t.Errorf("the answer has %d addresses in %d bytes, want %d to %d in %d at most", got, len(m.Payload), c.least, c.most, answer.Spec().MaxPayload)
					}
					return
				}
			})
		})
	}
}

// Nobody gets more into the address book by a message than an answer may have: twice as many
// addresses as are asked for, or the ten that a node may have of its own.
func TestMoreThanAnAnswerMayHaveIsNotTaken(t *testing.T) {
	for _, c := range []struct{ ask, want int }{{8, 16}, {20, 40}, {0, 10}, {3, 10}} {
		t.Run(fmt.Sprint(c.ask, " asked for"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := startNode(t, memory(), func(s *p2p.Settings) { s.GetAddrsMax = new(uint32(c.ask)) })
				p := n.greeted()
				told := &wire.Addrs{}
				for i := range 90 {
					a := addr.MustParse(fmt.Sprintf("tcp://127.0.0.1:%d", 10_000+i))
					told.Entries = append(told.Entries, wire.Entry{Addr: a, LastSeen: uint64(time.Now().Unix())})
				}
				p.Send(told)
				synctest.Wait()
				if got := n.Hosts().Len(hosts.Grey); got != c.want {
					t.Errorf("%d of 90 addresses were taken, want %d", got, c.want)
				}
			})
		})
	}
}

// Who asks faster than it reads would else fill its queue with answers, and those who say
// something would wait for room in it.
func TestR14WhoAsksAndDoesNotReadGetsNoFurtherAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory())
		n.knows(300)
		p := n.greeted()
		ch := n.channel()
		question := p.Frame(&wire.GetAddr{Max: math.MaxUint32, Transports: []string{addr.TCP}})
		p.Write(bytes.Repeat(question, 6)) // more would be delayed
		synctest.Wait()
		if queued := ch.Stats().Queued; queued == 0 || queued > 128<<10 {
			t.Errorf("%d bytes wait for the peer, want no more than two answers", queued)
		}
	})
}
