package p2p_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/p2ptest"
	"dchat/p2p/protocol"
	"dchat/p2p/wire"
)

var rooms = wire.Feature{Name: "rooms", Version: 2}

// room is a message of the extension.
type room struct{}

func (room) Spec() wire.Spec               { return wire.Spec{Command: "room"} }
func (room) AppendPayload(b []byte) []byte { return b }
func (*room) Decode(payload []byte) error  { return wire.NewDecoder("room", payload).Finish() }

// speaksRooms makes a node speak the extension: it says so at once to those that
// do, and counts what they say.
func speaksRooms(heard chan<- uint32) protocol.Registration {
	return protocol.Registration{
		Name: "rooms", Sessions: channel.Default, Feature: rooms,
		New: func(ch *channel.Channel, _ protocol.Node) (protocol.Protocol, error) {
			err := ch.Subscribe(channel.Subscription{Spec: room{}.Spec(), Handle: channel.On(func(*room) error {
				heard <- ch.ID()
				return nil
			})})
			return hello{ch}, err
		},
	}
}

// hello is a protocol that begins with a message.
type hello struct{ ch *channel.Channel }

func (h hello) Start() error { return h.ch.Send(context.Background(), &room{}) }

func TestAnExtensionIsSpokenOnlyToThoseThatAdvertiseIt(t *testing.T) {
	for _, c := range []struct {
		name   string
		theirs []wire.Feature
		hide   bool
		speaks bool
	}{
		{"same", []wire.Feature{{Name: "other", Version: 1}, rooms}, false, true},
		{"none", nil, false, false},
		{"other version", []wire.Feature{{Name: "rooms", Version: 1}}, false, false},
		{"other name", []wire.Feature{{Name: "Rooms", Version: 2}}, false, false},
		{"same, but ours is hidden", []wire.Feature{rooms}, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t, memory(), func(s *p2p.Settings) { s.HideFeatures = c.hide })
				heard := make(chan uint32, 10)
				n.register(speaksRooms(heard))
				n.start()
				p := n.dial()
				p.Version.Features = c.theirs
				version := p.Handshake()
				if advertised := slices.Contains(version.Features, rooms); advertised == c.hide {
					t.Errorf("our version has features %v", version.Features)
				}
				p.AnswerPing()
				ch := n.channel()
				r := p.Record()
				if ch.Speaks("room") != c.speaks {
					t.Errorf("the channel speaks the extension: %v", !c.speaks)
				}
				if got, err := n.Broadcast(&room{}); err != nil || (got == 1) != c.speaks {
					t.Errorf("Broadcast = %d, %v", got, err)
				}
				n.broadcast("for all", 1)
				p.Send(&room{})
				synctest.Wait()
				if got := slices.Contains(r.Commands(), "room"); got != c.speaks {
					t.Errorf("the peer got %v", r.Commands())
				}
				if !slices.Contains(r.Commands(), textCommand) {
					t.Errorf("the peer got %v, want the text too", r.Commands())
				}
				if c.speaks {
					if len(heard) != 1 || ch.Err() != nil {
						t.Errorf("%d messages of the extension handled, the channel ended with %v", len(heard), ch.Err())
					}
				} else {
					wantOffence(t, ch, wire.UnknownCommand)
				}
			})
		})
	}
}

func TestTwoNodesWithAnExtensionSpeakItAndAStockNodeSeesNothingOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		heard := make(chan uint32, 10)
		hub := newNode(t, set)
		hub.register(speaksRooms(heard))
		hub.start()
		stock := startNode(t, set, withPeers(hub.Addrs()...))
		other := newNode(t, set, withPeers(hub.Addrs()...))
		other.register(speaksRooms(heard))
		other.start()
		synctest.Wait()
		if len(heard) != 2 {
			t.Errorf("%d hellos arrived, want one each way", len(heard))
		}
		if got, err := hub.Broadcast(&room{}); err != nil || got != 1 {
			t.Errorf("Broadcast = %d, %v; want the one that speaks it", got, err)
		}
		synctest.Wait()
		if err := stock.channel().Err(); err != nil {
			t.Errorf("the stock node's channel ended with %v", err)
		}
	})
}

func TestFeaturesAreBounded(t *testing.T) {
	n := newNode(t, memory())
	reg := func(i int) protocol.Registration {
		r := speaksRooms(nil)
		r.Name = fmt.Sprint("extension ", i)
		r.Feature.Name = fmt.Sprintf("%032d", i)
		return r
	}
	for i := range 10 {
		n.register(reg(i))
	}
	if err := n.Register(reg(11)); !errors.Is(err, protocol.ErrRegistration) {
		t.Errorf("the eleventh: %v, want ErrRegistration", err)
	}
	long := speaksRooms(nil)
	long.Feature.Name = fmt.Sprintf("%033d", 1)
	if err := n.Register(long); !errors.Is(err, protocol.ErrRegistration) {
		t.Errorf("a name of 33 bytes: %v, want ErrRegistration", err)
	}
	twice := speaksRooms(nil)
	twice.Name = "text"
	if err := n.Register(twice); !errors.Is(err, protocol.ErrRegistration) {
		t.Errorf("a name that is taken: %v, want ErrRegistration", err)
	}
}

func TestAllFeaturesFitInAHandshakeWithEverythingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, memory(), func(s *p2p.Settings) {
			s.NodeID, s.AppName = strings.Repeat("n", 256), strings.Repeat("a", 64)
			for i := range 10 {
				host := fmt.Sprintf("%0200d.example.org", i)
				s.ExternalAddrs = append(s.ExternalAddrs, addr.MustParse("tcp://x"+host+":7000"))
			}
		})
		for i := range 10 {
			reg := speaksRooms(nil)
			reg.Name, reg.Feature.Name = fmt.Sprint("extension ", i), fmt.Sprintf("%032d", i)
			n.register(reg)
		}
		n.start()
		p := n.dial()
		p.Verack.AppName = n.Settings().AppName
		got := p.Greet()
		if len(got.Features) != 11 || len(got.ExtSendAddr) == 0 || len(got.ExtSendAddr) == 10 {
			t.Errorf("the version has %d features and %d addresses, want all 10, the mark of the connection and as many as fit", len(got.Features), len(got.ExtSendAddr))
		}
	})
}

// tooLarge is a ping that is over the limit of pings.
type tooLarge struct{ wire.Ping }

func (tooLarge) AppendPayload(b []byte) []byte { return append(b, 1, 2, 3) }

func TestBroadcastCountsThoseItWasQueuedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, memory())
		n.broadcast("to nobody", 0)
		n.dial() // its handshake does not go on
		var peers []*p2ptest.Peer
		for i := range 5 {
			peers = append(peers, n.greeted())
			n.broadcast("to all", i+1)
		}
		if got, err := n.Broadcast(&room{}); err != nil || got != 0 {
			t.Errorf("a command that no protocol speaks: %d, %v; want 0", got, err)
		}
		if got, err := n.Broadcast(tooLarge{}); !errors.Is(err, wire.ErrTooLarge) || got != 0 {
			t.Errorf("a message over its limit: %d, %v; want ErrTooLarge", got, err)
		}
		peers[0].Close(false)
		synctest.Wait()
		n.broadcast("to the others", 4)
	})
}
