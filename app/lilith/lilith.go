// Package lilith composes the modules into the seed daemon, which serves any number
// of networks at a time: nodes that know nobody ask it for addresses.
package lilith

import (
	"fmt"

	"go.uber.org/fx"
	"go.uber.org/zap"

	"dchat/app/internal/daemon"
	"dchat/chat/jsonrpc"
	"dchat/modules/logfx"
	"dchat/modules/p2pfx"
	"dchat/modules/rpcfx"
	"dchat/modules/settingsfx"
	"dchat/p2p"
)

// Options is the daemon: a node for each network, and JSON-RPC. Anything that the nodes
// share can be replaced by fx.Replace beside it.
func Options(loaded *settingsfx.LoadedLilith) fx.Option {
	options := []fx.Option{
		fx.Supply(loaded.RPC, loaded.Log),
		logfx.Module,
		rpcfx.Module,
		fx.Provide(fx.Annotate(methods, fx.ParamTags(`group:"seeds"`), fx.ResultTags(`group:"rpc methods"`))),
		fx.Invoke(rpcfx.Serve),
		fx.Invoke(watch),
		reloading(loaded),
		daemon.Options(),
	}
	for _, n := range loaded.Networks {
		options = append(options, network(n))
	}
	return fx.Options(options...)
}

type watched struct {
	fx.In

	Lifecycle fx.Lifecycle
	Stop      fx.Shutdowner
	Log       *zap.Logger
	Seeds     []seed `group:"seeds"`
	Server    *jsonrpc.Server
}

// watch ends the daemon when one of its networks or JSON-RPC cannot be reached any more.
func watch(w watched) {
	parts := []daemon.Failing{w.Server}
	for _, s := range w.Seeds {
		parts = append(parts, s.node)
	}
	daemon.Watch(w.Lifecycle, w.Stop, w.Log, parts...)
}

// network is the node of one network, whose lines in the log begin with the network's name.
func network(n settingsfx.Network) fx.Option {
	return fx.Options(
		p2pfx.Named(n.Name,
			fx.Supply(fx.Private, n.P2P),
			fx.Decorate(func(log *zap.Logger) *zap.Logger { return log.Named(n.Name) }),
		),
		fx.Provide(fx.Annotate(
			func(node *p2p.P2p) seed { return seed{n.Name, node} },
			fx.ParamTags(fmt.Sprintf("name:%q", n.Name)),
			fx.ResultTags(`group:"seeds"`),
		)),
	)
}
