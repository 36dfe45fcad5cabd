package app

import (
	"strings"

	"go.uber.org/fx"
	"go.uber.org/zap"

	"dchat/app/internal/daemon"
	"dchat/chat/rpc"
	"dchat/modules/settingsfx"
	"dchat/p2p"
)

// reloading makes SIGHUP and the method p2p.reload reload the configuration that the
// daemon was started with.
func reloading(loaded *settingsfx.Loaded) fx.Option {
	return fx.Options(
		fx.Provide(fx.Private, func(node *p2p.P2p, level zap.AtomicLevel, log *zap.Logger) *daemon.Reloader {
			read := func() (daemon.Reread, error) {
				now, err := loaded.Reload()
				if err != nil {
					return daemon.Reread{}, err
				}
				apply := func() error {
					_, err := node.Reload(now.P2P)
					return err
				}
				return daemon.Reread{Report: &now.Report, Level: now.Log.Level, Apply: apply}, nil
			}
			return daemon.NewReloader(log, level, &loaded.Report, read, applies)
		}),
		fx.Provide(fx.Annotate(func(r *daemon.Reloader) rpc.Methods { return rpc.ReloadMethods(r.Reload) }, fx.ResultTags(`group:"rpc methods"`))),
		fx.Invoke(daemon.ReloadOnHangup),
	)
}

// applies tells whether a key is among those that p2p.P2p.Reload applies.
func applies(key string) bool {
	switch key[strings.LastIndexByte(key, '.')+1:] {
	case "outbound_connections", "peers", "seeds", "blacklist":
		return true
	}
	return false
}
