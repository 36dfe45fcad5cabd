package daemon

import (
	"context"
	"strings"
	"sync"

	"go.uber.org/fx"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"dchat/chat/rpc"
	"dchat/modules/settingsfx"
)

// Reloader reads the configuration again while the daemon runs, and applies what can
// be applied then.
type Reloader struct {
	log     *zap.Logger
	level   zap.AtomicLevel
	read    func() (Reread, error)
	applies func(key string) bool

	mu      sync.Mutex // one reload at a time
	started *settingsfx.Report
	applied *settingsfx.Report // by the last reload
}

// Reread is a configuration without faults that was read again.
type Reread struct {
	Report *settingsfx.Report
	Level  zapcore.Level
	Apply  func() error // to what runs; with an error nothing has changed
}

// NewReloader makes the reloader of a daemon that was started with a configuration. applies
// tells the keys that Apply of what is read applies; the reloader itself applies log.level.
func NewReloader(log *zap.Logger, level zap.AtomicLevel, started *settingsfx.Report, read func() (Reread, error), applies func(key string) bool) *Reloader {
	return &Reloader{log: log, level: level, read: read, applies: applies, started: started, applied: started}
}

// HangupParams is what ReloadOnHangup needs.
type HangupParams struct {
	fx.In

	Lifecycle fx.Lifecycle
	Reloader  *Reloader
	Hangups   Hangups `optional:"true"`
}

// ReloadOnHangup reloads whenever SIGHUP comes while the application runs. A SIGHUP that
// comes during the start waits for its end: it is heeded only behind all that is invoked
// before this.
func ReloadOnHangup(p HangupParams) {
	if p.Hangups == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	p.Lifecycle.Append(fx.StartStopHook(
		func() {
			watching.Go(func() {
				for {
					select {
					case <-p.Hangups:
						_, _ = p.Reloader.Reload() // the log has what came of it
					case <-ctx.Done():
						return
					}
				}
			})
		},
		func() {
			cancel()
			watching.Wait()
		},
	))
}

// Reload applies the configuration as it is now. On an error nothing has changed. What
// came of it is logged.
func (r *Reloader) Reload() (rpc.Reloaded, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, err := r.read()
	if err == nil {
		err = now.Apply()
	}
	if err != nil {
		r.log.Error("Configuration not reloaded, nothing has changed", zap.String("reason", strings.ReplaceAll(err.Error(), "\n", "; ")))
		return rpc.Reloaded{}, err
	}
	var result rpc.Reloaded
	for _, key := range now.Report.Changed(r.applied) {
		if r.takes(key) {
			result.Applied = append(result.Applied, key)
		}
	}
	for _, key := range now.Report.Changed(r.started) {
		if !r.takes(key) {
			result.Restart = append(result.Restart, key)
		}
	}
	r.applied = now.Report
	r.level.SetLevel(min(r.level.Level(), now.Level)) // for the next lines, whether more is logged from now on or less
	for _, warning := range now.Report.Warnings {
		r.log.Warn(warning)
	}
	r.log.Info("Configuration reloaded", zap.String("file", now.Report.File),
		zap.String("applied", orNothing(result.Applied)), zap.String("needs_restart", orNothing(result.Restart)))
	r.level.SetLevel(now.Level)
	return result, nil
}

func (r *Reloader) takes(key string) bool { return key == "log.level" || r.applies(key) }

func orNothing(keys []string) string {
	if len(keys) == 0 {
		return "nothing"
	}
	return strings.Join(keys, ", ")
}
