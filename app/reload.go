package app

import (
	"context"
	"strings"
	"sync"

	"go.uber.org/fx"
	"go.uber.org/zap"

	"dchat/app/internal/daemon"
	"dchat/chat/rpc"
	"dchat/modules/settingsfx"
	"dchat/p2p"
)

// reloader reads the configuration again while the daemon runs, and applies what can
// be applied then.
type reloader struct {
	node  *p2p.P2p
	level zap.AtomicLevel
	log   *zap.Logger

	mu      sync.Mutex // one reload at a time
	started *settingsfx.Loaded
	applied *settingsfx.Loaded // by the last reload
}

type reloaderParams struct {
	fx.In

	Node  *p2p.P2p
	Level zap.AtomicLevel
	Log   *zap.Logger
}

type hangupParams struct {
	fx.In

	Lifecycle fx.Lifecycle
	Reloader  *reloader
	Hangups   daemon.Hangups `optional:"true"`
}

// reloading makes SIGHUP and the method p2p.reload reload the configuration that the
// daemon was started with. A SIGHUP that comes during the start waits for its end:
// it is heeded only behind all that is invoked before this.
func reloading(loaded *settingsfx.Loaded) fx.Option {
	return fx.Options(
		fx.Provide(
			fx.Private, func(p reloaderParams) *reloader {
				return &reloader{node: p.Node, level: p.Level, log: p.Log, started: loaded, applied: loaded}
			},
		),
		fx.Provide(fx.Annotate(func(r *reloader) rpc.Methods { return rpc.ReloadMethods(r.reload) }, fx.ResultTags(`group:"rpc methods"`))),
		fx.Invoke(func(p hangupParams) {
			if p.Hangups != nil {
				p.Lifecycle.Append(p.Reloader.onHangup(p.Hangups))
			}
		}),
	)
}

// onHangup reloads whenever SIGHUP comes while the application runs.
func (r *reloader) onHangup(hangups daemon.Hangups) fx.Hook {
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	return fx.Hook{
		OnStart: func(context.Context) error {
			watching.Go(func() {
				for {
					select {
					case <-hangups:
						_, _ = r.reload() // the log has what came of it
					case <-ctx.Done():
						return
					}
				}
			})
			return nil
		},
		OnStop: func(context.Context) error {
			cancel()
			watching.Wait()
			return nil
		},
	}
}

// reload applies the configuration as it is now. On an error nothing has changed. What
// came of it is logged.
func (r *reloader) reload() (rpc.Reloaded, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	loaded, err := r.started.Reload()
	if err == nil {
		_, err = r.node.Reload(loaded.P2P)
	}
	if err != nil {
		r.log.Error("Configuration not reloaded, nothing has changed", zap.String("reason", strings.ReplaceAll(err.Error(), "\n", "; ")))
		return rpc.Reloaded{}, err
	}
	var result rpc.Reloaded
	for _, key := range loaded.Changed(r.applied) {
		if applies(key) {
			result.Applied = append(result.Applied, key)
		}
	}
	for _, key := range loaded.Changed(r.started) {
		if !applies(key) {
			result.Restart = append(result.Restart, key)
		}
	}
	r.applied = loaded
	r.level.SetLevel(min(r.level.Level(), loaded.Log.Level)) // for the next lines, whether more is logged from now on or less
	for _, warning := range loaded.Warnings {
		r.log.Warn(warning)
	}
	r.log.Info("Configuration reloaded", zap.String("file", loaded.File),
		zap.String("applied", orNothing(result.Applied)), zap.String("needs_restart", orNothing(result.Restart)))
	r.level.SetLevel(loaded.Log.Level)
	return result, nil
}

// applies tells whether a key is among those that p2p.P2p.Reload applies, or the level
// of the log.
func applies(key string) bool {
	if key == "log.level" {
		return true
	}
	switch key[strings.LastIndexByte(key, '.')+1:] {
	case "outbound_connections", "peers", "seeds", "blacklist":
		return true
	}
	return false
}

func orNothing(keys []string) string {
	if len(keys) == 0 {
		return "nothing"
	}
	return strings.Join(keys, ", ")
}
