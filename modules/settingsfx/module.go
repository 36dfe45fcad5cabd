package settingsfx

import "go.uber.org/fx"

// Module provides what was loaded: p2p.Settings, chat.Settings, rpcfx.Settings and logfx.Settings, as
// values. A loaded configuration that was changed in between is provided as changed.
func Module(l *Loaded) fx.Option {
	return fx.Module("settings", fx.Supply(l.P2P, l.Chat, l.RPC, l.Log))
}
