package p2p_test

import (
	"context"
	"errors"
	"fmt"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/protocol"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// vote is a message of an application's own.
type vote struct {
	Topic string
	Yes   bool
}

func (vote) Spec() wire.Spec { return wire.Spec{Command: "vote", MaxPayload: 1024} }

func (v vote) AppendPayload(b []byte) []byte {
	return wire.AppendBool(wire.AppendString(b, v.Topic), v.Yes)
}

func (v *vote) Decode(payload []byte) error {
	d := wire.NewDecoder("vote", payload)
	v.Topic, v.Yes = d.String(), d.Bool()
	return d.Finish()
}

// votes is a protocol that hands on the votes of peers. It has a feature, so it is spoken only
// to peers that have it too.
func votes(heard func(vote)) protocol.Registration {
	return protocol.Registration{
		Name:     "vote",
		Sessions: channel.Default,
		Feature:  wire.Feature{Name: "vote", Version: 1},
		New: func(ch *channel.Channel, _ protocol.Node) (protocol.Protocol, error) {
			return nil, ch.Subscribe(channel.Subscription{
				Spec:   vote{}.Spec(),
				Handle: channel.On(func(v *vote) error { heard(*v); return nil }),
				Queue:  16, // so that the handler may take its time
			})
		},
	}
}

// A protocol of an application's own: who votes, tells all peers that vote too.
func ExampleP2p_Register() {
	ctx := context.Background()
	network := p2p.WithTransport("tcp", transport.NewMem()) // in this process alone
	heard := make(chan vote, 1)
	settings := p2p.DefaultSettings()
	settings.Inbound = []addr.Addr{addr.MustParse("tcp://127.0.0.1:1")}
	alice := must(p2p.New(settings, network))
	check(alice.Register(votes(func(v vote) { heard <- v })))
	check(alice.Start(ctx))

	settings.Inbound, settings.Peers = nil, alice.Addrs()
	bob := must(p2p.New(settings, network))
	check(bob.Register(votes(func(vote) {})))
	check(bob.Start(ctx))

	check(bob.Connected(ctx, 1))
	peers := must(bob.Broadcast(vote{"tea at four", true}))
	fmt.Printf("sent to %d, heard %+v\n", peers, <-heard)
	check(errors.Join(bob.Stop(ctx), alice.Stop(ctx)))
	// Output: sent to 1, heard {Topic:tea at four Yes:true}
}

// check ends the program when there is an error.
func check(err error) {
	if err != nil {
		panic(err)
	}
}

// must is check for a function that returns something besides.
func must[T any](v T, err error) T {
	check(err)
	return v
}
