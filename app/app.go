package app

import (
	"go.uber.org/fx"

	"dchat/app/internal/daemon"
	"dchat/modules/dchatfx"
	"dchat/modules/logfx"
	"dchat/modules/p2pfx"
	"dchat/modules/rpcfx"
	"dchat/modules/settingsfx"
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
		reloading(loaded),
		daemon.Options(),
	)
}
