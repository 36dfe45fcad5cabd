package app

import (
	"fmt"
	"strings"

	"go.uber.org/fx"

	"dchat/app/doctor"
	"dchat/chat/rpc"
	"dchat/modules/settingsfx"
	"dchat/p2p"
	"dchat/p2p/transport"
)

// examined is what the examination of the daemon is about.
type examined struct {
	fx.In

	Node       *p2p.P2p
	Transports transport.Set     `optional:"true"`
	More       []transport.Named `group:"transports"`
}

// examining adds the RPC method by which the daemon says why it is not connected.
func examining(loaded *settingsfx.Loaded) fx.Option {
	methods := func(e examined) rpc.Methods {
		return doctor.Methods(func() doctor.Patient {
			settings, transports := e.Node.Settings(), e.Transports
			if transports == nil {
				transports = transport.DefaultVia(transport.Options{Tor: settings.TorSocks5Proxy, I2P: settings.I2PSocks5Proxy})
			}
			return doctor.Patient{
				File:       loaded.File,
				Warnings:   warnings(loaded),
				Settings:   settings,
				Node:       e.Node,
				Transports: transports.With(e.More...),
			}
		})
	}
	return fx.Provide(fx.Annotate(methods, fx.ResultTags(`group:"rpc methods"`)))
}

// warnings are those of the configuration as it stands in its file now, which may not
// be the one that the daemon runs on.
func warnings(loaded *settingsfx.Loaded) []string {
	if loaded.File == "" {
		return loaded.Warnings
	}
	now, err := loaded.Reload()
	if err != nil {
		return append(strings.Split(err.Error(), "\n"), "the daemon runs on the configuration as it was before, and would not start with this one")
	}
	if changed := now.Changed(&loaded.Report); len(changed) > 0 {
		return append(now.Warnings, fmt.Sprintf("changed since the daemon was started: %s; `dchat reload` applies it, or says what waits for a restart", strings.Join(changed, ", ")))
	}
	return now.Warnings
}
