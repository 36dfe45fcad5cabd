package dchatfx_test

import (
	"context"
	"fmt"

	"go.uber.org/fx"

	"dchat/chat"
	"dchat/modules/dchatfx"
	"dchat/modules/p2pfx"
	"dchat/p2p"
	"dchat/p2p/addr"
)

// A node with a chat, put together by fx.
func Example() {
	settings := p2p.DefaultSettings()
	settings.Inbound = []addr.Addr{addr.MustParse("tcp://127.0.0.1:0")} // any free port
	var dchat *chat.Dchat
	app := fx.New(
		fx.Supply(settings, chat.DefaultSettings()),
		p2pfx.Module,
		dchatfx.Module,
		fx.Populate(&dchat), // or let a constructor of yours take a *chat.Dchat
		fx.NopLogger,
	)
	ctx := context.Background()
	check(app.Start(ctx))
	_, err := dchat.Send(ctx, "is anybody there?")
	fmt.Printf("%v, %v\n", dchat.P2p().State(), err)
	check(app.Stop(ctx))
	// Output: running, no peers connected
}

// check ends the program when there is an error.
func check(err error) {
	if err != nil {
		panic(err)
	}
}
