package app

import (
	"go.uber.org/fx"
	"go.uber.org/zap"

	"dchat/app/internal/daemon"
	"dchat/chat/jsonrpc"
	"dchat/modules/dchatfx"
	"dchat/modules/logfx"
	"dchat/modules/p2pfx"
	"dchat/modules/rpcfx"
	"dchat/modules/settingsfx"
	"dchat/p2p"
)

// Options is the daemon: all its modules, with the settings given. Anything can
// be replaced by fx.Replace beside it, and what stands beside it in the groups
// "protocols", "transports" and "rpc methods" is taken in.
func Options(loaded *settingsfx.Loaded) fx.Option {
	return fx.Options(
		settingsfx.Module(loaded),
		logfx.Module,
		p2pfx.Module,
		dchatfx.Module,
		rpcfx.Module,
		examining(loaded),
		fx.Invoke(rpcfx.Serve),
		fx.Invoke(watch),
		reloading(loaded),
		daemon.Options(),
	)
}

// watch ends the daemon when it cannot be reached any more.
func watch(lc fx.Lifecycle, stop fx.Shutdowner, log *zap.Logger, node *p2p.P2p, server *jsonrpc.Server) {
	daemon.Watch(lc, stop, log, node, server)
}
