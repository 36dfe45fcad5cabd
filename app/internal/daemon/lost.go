package daemon

import (
	"sync"

	"go.uber.org/fx"
	"go.uber.org/zap"
)

// Failing is a part of a daemon that can fail while it runs.
type Failing interface {
	// Err returns the channel on which it says so.
	Err() <-chan error
}

// Watch ends the daemon with the exit code Lost when one of its parts fails: whoever runs
// it can start it again, and does not notice one that runs and cannot be reached.
func Watch(lc fx.Lifecycle, stop fx.Shutdowner, log *zap.Logger, parts ...Failing) {
	var watching sync.WaitGroup
	var stopping chan struct{}
	lc.Append(fx.StartStopHook(
		func() {
			stopping = make(chan struct{})
			for _, part := range parts {
				watching.Go(func() {
					select {
					case err := <-part.Err():
						log.Error("Ending: an address cannot be listened on any more", zap.Error(err))
						_ = stop.Shutdown(fx.ExitCode(Lost)) // it fails when the end has been asked for already
					case <-stopping:
					}
				})
			}
		},
		func() {
			close(stopping)
			watching.Wait()
		},
	))
}
