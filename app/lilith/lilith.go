// Package lilith composes the modules into the seed daemon, which serves any number
// of networks at a time: nodes that know nobody ask it for addresses.
package lilith

import (
	"fmt"

	"go.uber.org/fx"
	"go.uber.org/zap"

	"dchat/app/internal/daemon"
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
		daemon.Options(),
	}
	for _, n := range loaded.Networks {
		options = append(options, network(n))
	}
	return fx.Options(options...)
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
