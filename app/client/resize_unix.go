//go:build unix

package client

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// watchSize calls f whenever the size of the terminal has changed, until the
// function it returns is called.
func watchSize(f func()) (ignore func()) {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	var watching sync.WaitGroup
	watching.Go(func() {
		for range changed {
			f()
		}
	})
	return func() {
		signal.Stop(changed)
		close(changed)
		watching.Wait()
	}
}
