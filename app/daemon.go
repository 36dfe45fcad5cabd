package app

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"go.uber.org/fx"
	"go.uber.org/zap"

	"dchat/chat/jsonrpc"
	"dchat/modules/settingsfx"
	"dchat/p2p"
)

// daemon runs the application from its start to its end.
type daemon struct {
	app    *fx.App
	log    *zap.Logger
	node   *p2p.P2p
	server *jsonrpc.Server
	exit   func(code int) // os.Exit, but for tests
}

// newDaemon builds the application; nothing runs yet.
func newDaemon(loaded *settingsfx.Loaded, options ...fx.Option) (*daemon, error) {
	d := &daemon{exit: os.Exit}
	d.app = fx.New(Options(loaded), fx.Options(options...), fx.Populate(&d.log, &d.node, &d.server))
	return d, d.app.Err()
}

// run starts the application, waits for a signal or for a module that asks for
// the end, and stops it. It returns the exit code and why the start failed.
//
// fx takes SIGINT and SIGTERM and tells of them by Wait. This closes three gaps
// it leaves: a signal during the start ends it, a start that fails in any way is
// undone, and a second SIGINT ends the process at once.
func (d *daemon) run(ctx context.Context) (int, error) {
	others := make(chan os.Signal, 1) // those fx does not take
	signal.Notify(others, syscall.SIGQUIT, syscall.SIGHUP)
	defer signal.Stop(others)
	ended := d.app.Wait()

	starting, cancel := context.WithTimeout(ctx, d.app.StartTimeout())
	defer cancel()
	started := make(chan error, 1)
	go func() { started <- d.app.Start(starting) }()
	code := 0
	for running := true; running; {
		select {
		case err := <-started:
			if err != nil {
				return 1, errors.Join(err, d.stop(ctx))
			}
			started = nil
		case end := <-ended:
			code, running = end.ExitCode, false
		case sig := <-others:
			running = sig == syscall.SIGHUP // a lost terminal does not end a daemon
		case <-ctx.Done():
			running = false
		}
	}
	d.log.Info("Caught termination signal, cleaning up and exiting...")
	defer d.abortOnSecond()()
	cancel()
	if started != nil {
		// The start has been told to give up; stop undoes what it began.
		d.log.Debug("Stopped while starting", zap.Error(<-started))
	}
	if err := d.stop(ctx); err != nil {
		return 1, err
	}
	d.log.Info("Shut down successfully")
	return code, nil
}

// stop stops the application, also one whose start failed or ran out of time:
// fx does not run the hooks of such a one, so the parts are stopped by
// themselves as well, which does nothing where it is done already.
func (d *daemon) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.app.StopTimeout())
	defer cancel()
	err := d.app.Stop(ctx)
	return errors.Join(err, d.server.Stop(ctx), d.node.Stop(ctx))
}

// abortOnSecond makes a further SIGINT end the process with status 130, until
// the function it returns is called.
func (d *daemon) abortOnSecond() func() {
	again, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(again, syscall.SIGINT)
	go func() {
		select {
		case <-again:
			d.exit(130)
		case <-done:
		}
	}()
	return func() {
		signal.Stop(again)
		close(done)
	}
}
