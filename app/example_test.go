package app_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"
	"go.uber.org/zap"

	"dchat/app"
	"dchat/chat"
	"dchat/chat/jsonrpc"
	"dchat/chat/rpc"
	"dchat/modules/dchatfx"
	"dchat/modules/p2pfx"
	"dchat/modules/rpcfx"
	"dchat/modules/settingsfx"
	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/protocol"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// A test of the whole daemon, with other settings and without sockets; t is its
// *testing.T.
func ExampleOptions() {
	loaded := must(settingsfx.Load(settingsfx.Source{Env: []string{"HOME=/nowhere"}, ReadOnly: true})) // the defaults
	settings := p2p.DefaultSettings()
	settings.Inbound = []addr.Addr{addr.MustParse("tcp://alice:1")}
	var dchat *chat.Dchat
	daemon := fxtest.New(t,
		app.Options(loaded),
		fx.Replace(settings),
		fx.Replace(rpcfx.Settings{Listen: addr.MustParse("tcp://127.0.0.1:0")}),
		fx.Replace(zap.NewNop()),
		fx.Supply(transport.Set{"tcp": transport.NewMem()}), // share it with other nodes to connect them
		fx.Populate(&dchat),
	)
	daemon.RequireStart()
	fmt.Println("listening on", dchat.P2p().Addrs())
	daemon.RequireStop()
	// Output: listening on [tcp://alice:1/]
}

// A larger service, of which the chat is a part, and which adds a protocol and an
// RPC method.
func Example_service() {
	shop := fx.Module("shop", fx.Provide(
		newOrders,
		fx.Annotate((*orders).protocol, fx.ResultTags(`group:"protocols"`)),
		fx.Annotate((*orders).methods, fx.ResultTags(`group:"rpc methods"`)),
	))
	var server *jsonrpc.Server
	service := fx.New(
		fx.Supply(p2p.DefaultSettings(), chat.DefaultSettings(), rpcfx.Settings{Listen: addr.MustParse("tcp://127.0.0.1:0")}),
		p2pfx.Module, dchatfx.Module, rpcfx.Module, fx.Invoke(rpcfx.Serve),
		shop, fx.Populate(&server), fx.NopLogger,
	)
	ctx := context.Background()
	check(service.Start(ctx))
	client := must(jsonrpc.Dial(ctx, server.Addr()))
	var count int
	check(client.Call(ctx, "orders.count", nil, &count))
	fmt.Println("orders:", count)
	check(errors.Join(client.Close(), service.Stop(ctx)))
	// Output: orders: 0
}

// orders counts what peers order.
type orders struct{ count atomic.Int64 }

func newOrders() *orders { return &orders{} }

// protocol is spoken with the peers that know it too, and with no others.
func (o *orders) protocol() protocol.Registration {
	return protocol.Registration{
		Name:     "orders",
		Sessions: channel.Default,
		Feature:  wire.Feature{Name: "orders", Version: 1},
		New: func(ch *channel.Channel, _ protocol.Node) (protocol.Protocol, error) {
			return nil, ch.Subscribe(channel.Subscription{
				Spec:   wire.Spec{Command: "order", MaxPayload: 1 << 10},
				Handle: func([]byte) error { o.count.Add(1); return nil },
			})
		},
	}
}

func (o *orders) methods() rpc.Methods {
	return rpc.Methods{
		"orders.count": func(context.Context, *jsonrpc.Call) (any, error) { return o.count.Load(), nil },
	}
}

// t stands for the *testing.T that an example does not have.
var t fxtest.TB = panicking{}

type panicking struct{}

// Logf says nothing.
func (panicking) Logf(string, ...any) {}

// Errorf is followed by FailNow.
func (panicking) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// FailNow ends the example.
func (panicking) FailNow() { panic("failed") }

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
