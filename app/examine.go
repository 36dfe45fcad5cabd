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

// examining adds the RPC method by which the daemon says why it is not connected.
func examining(loaded *settingsfx.Loaded) fx.Option {
	methods := func(node *p2p.P2p, transports transport.Set) rpc.Methods {
		return doctor.Methods(func() doctor.Patient {
			return doctor.Patient{
				File:       loaded.File,
				Warnings:   warnings(loaded),
				Settings:   node.Settings(),
				Node:       node,
				Transports: transports,
			}
		})
	}
	return fx.Provide(fx.Annotate(methods, fx.ParamTags("", `optional:"true"`), fx.ResultTags(`group:"rpc methods"`)))
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
	if changed := now.Changed(loaded); len(changed) > 0 {
		return append(now.Warnings, fmt.Sprintf("changed since the daemon was started: %s; `dchat reload` applies it, or says what waits for a restart", strings.Join(changed, ", ")))
	}
	return now.Warnings
}
