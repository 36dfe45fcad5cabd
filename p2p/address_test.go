package p2p_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/dnet"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

func TestFewAddressesAreAskedForWhateverIsConfigured(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*p2p.Settings)
		want   uint32
	}{
		{"as many as outbound connections", func(s *p2p.Settings) { s.OutboundConnections = 5 }, 5},
		{"as configured", func(s *p2p.Settings) { s.OutboundConnections, s.GetAddrsMax = 5, new(uint32(3)) }, 3},
		{"none", func(s *p2p.Settings) { s.OutboundConnections, s.GetAddrsMax = 5, new(uint32(0)) }, 0},
		{"capped", func(s *p2p.Settings) { s.GetAddrsMax = new(uint32(1000)) }, 255},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := startNode(t, memory(), c.change)
				p := n.dial()
				p.Handshake()
				var got wire.GetAddr
				if p.Expect(&got); got.Max != c.want {
					t.Errorf("%d addresses were asked for, want %d", got.Max, c.want)
				}
			})
		})
	}
}

func TestOnlyAddressesThatCanBeDialledAndToldAreAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMem()
		set := transport.Set{addr.TCP: mem, addr.TCPTLS: &transport.TLS{Over: mem}, "quic": mem}
		n := startNode(t, set, func(s *p2p.Settings) { s.ActiveProfiles = []string{"quic", "tor", "tcp+tls", "tcp", "tcp"} })
		p := n.dial()
		p.Handshake()
		var got wire.GetAddr
		if p.Expect(&got); !slices.Equal(got.Transports, []string{"tcp+tls", "tcp"}) {
			t.Errorf("the schemes asked for are %q", got.Transports)
		}
	})
}

func TestAPeerWithoutRoomForAnAnswerIsNotCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory())
		p := n.greeted()
		ch := n.channel()
		for n.reaches(0) { // its queue is full, though it goes on reading in a moment
			synctest.Wait()
		}
		const overhead = 4 + 9 + 3 + 3 // magic, command and the lengths of payload and text
		n.broadcast(strings.Repeat("x", n.Settings().SendQueue-ch.Stats().Queued-overhead), 1)
		if room := n.Settings().SendQueue - ch.Stats().Queued; room != 0 {
			t.Fatalf("the queue has room for %d bytes", room)
		}
		p.Send(&wire.GetAddr{Max: 1, Transports: []string{addr.TCP}})
		<-time.After(time.Second)
		if err := ch.Err(); err != nil {
			t.Fatalf("the channel ended with %v", err)
		}
		p.Alive()
		for synctest.Wait(); ch.Stats().Queued > 0; synctest.Wait() {
			p.Read()
		}
		p.Send(&wire.GetAddr{Max: 1, Transports: []string{addr.TCP}})
		p.Expect(&wire.Addrs{})
	})
}

func TestEventsTellWhatHappensOnAChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory())
		n.Events().Switch(true)
		watcher := n.Events().Watch()
		defer watcher.Close()
		p := n.greeted()
		synctest.Wait()
		p.Close(false)
		synctest.Wait()
		var got []string
		id := n.channel().ID()
		for len(watcher.Events()) > 0 {
			e := <-watcher.Events()
			if e.Name == dnet.OutboundDiscovery { // of the node, not of a channel
				continue
			}
			if e.Channel != id {
				t.Errorf("%s is of channel %d, want %d", e.Name, e.Channel, id)
			}
			got = append(got, strings.TrimSpace(e.Name+" "+e.Command))
		}
		if len(got) < 2 || got[0] != dnet.InboundConnected || got[len(got)-1] != dnet.InboundDisconnected {
			t.Fatalf("the events are %q", got)
		}
		want := []string{"recv pong", "recv verack", "recv version", "send getaddr", "send ping", "send verack", "send version"}
		if got := slices.Sorted(slices.Values(got[1 : len(got)-1])); !slices.Equal(got, want) {
			t.Errorf("between them are\n%q, want\n%q", got, want)
		}
	})
}
