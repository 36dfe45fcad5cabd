package lilith

import (
	"slices"
	"strings"

	"go.uber.org/fx"
	"go.uber.org/zap"

	"dchat/app/internal/daemon"
	"dchat/modules/settingsfx"
)

type reloaderParams struct {
	fx.In

	Seeds []seed `group:"seeds"`
	Level zap.AtomicLevel
	Log   *zap.Logger
}

// reloading makes SIGHUP reload the configuration that the daemon was started with.
func reloading(loaded *settingsfx.LoadedLilith) fx.Option {
	return fx.Options(
		fx.Provide(fx.Private, func(p reloaderParams) *daemon.Reloader {
			read := func() (daemon.Reread, error) {
				now, err := loaded.Reload()
				if err != nil {
					return daemon.Reread{}, err
				}
				apply := func() error { return reload(p.Seeds, now.Networks) }
				return daemon.Reread{Report: &now.Report, Level: now.Log.Level, Apply: apply}, nil
			}
			return daemon.NewReloader(p.Log, p.Level, &loaded.Report, read, applies)
		}),
		fx.Invoke(daemon.ReloadOnHangup),
	)
}

// reload gives each node the settings of its network, if that is there still. When one does
// not take them the others get back theirs.
func reload(seeds []seed, networks []settingsfx.Network) error {
	var undo []func()
	for _, s := range seeds {
		i := slices.IndexFunc(networks, func(n settingsfx.Network) bool { return n.Name == s.name })
		if i < 0 {
			continue
		}
		before := s.node.Settings()
		if _, err := s.node.Reload(networks[i].P2P); err != nil {
			for _, f := range undo {
				f()
			}
			return err
		}
		undo = append(undo, func() { _, _ = s.node.Reload(before) }) // it had these
	}
	return nil
}

// applies tells whether a key is one of a network, network.NAME.KEY, that the node applies.
func applies(key string) bool {
	_, inNetwork, _ := strings.Cut(key, ".")
	_, name, _ := strings.Cut(inNetwork, ".")
	return name == "peers" || name == "seeds"
}
