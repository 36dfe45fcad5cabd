package chat_test

import (
	"context"
	"errors"
	"fmt"

	"dchat/chat"
	"dchat/p2p"
	"dchat/p2p/addr"
)

// Two nodes: one listens, and one connects to it and says something.
func Example() {
	ctx := context.Background()
	settings := p2p.DefaultSettings()
	settings.Inbound = []addr.Addr{addr.MustParse("tcp://127.0.0.1:0")} // any free port
	alice := must(chat.Join(must(p2p.New(settings)), chat.DefaultSettings()))
	check(alice.P2p().Start(ctx))

	settings.Inbound, settings.Peers = nil, alice.P2p().Addrs()
	bob := must(chat.Join(must(p2p.New(settings)), chat.DefaultSettings()))
	check(bob.P2p().Start(ctx))

	heard := alice.History().Subscribe()
	check(bob.P2p().Connected(ctx, 1))
	must(bob.Send(ctx, "hello, alice"))
	entry, _, err := heard.Next(ctx)
	check(err)
	fmt.Println("alice heard:", entry.Text)
	check(errors.Join(bob.P2p().Stop(ctx), alice.P2p().Stop(ctx)))
	// Output: alice heard: hello, alice
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
