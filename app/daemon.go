package app

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"go.uber.org/fx"
	"go.uber.org/zap"

	"dchat/modules/settingsfx"
)

// daemon runs the application from its start to its end.
type daemon struct {
	app  *fx.App
	log  *zap.Logger
	exit func(code int) // os.Exit, but for tests

	starting context.Context // bounds the start
}

// newDaemon builds the application; nothing runs yet.
func newDaemon(loaded *settingsfx.Loaded, options ...fx.Option) (*daemon, error) {
	d := &daemon{exit: os.Exit}
	d.app = fx.New(Options(loaded), fx.Decorate(d.bound), fx.Options(options...), fx.Populate(&d.log))
	return d, d.app.Err()
}

// bound makes the context of the start reach the OnStart hooks alone. fx does not
// wait for a hook when the context it was given itself ends: it would stop the
// application, or leave it, while the hook still runs.
func (d *daemon) bound(lc fx.Lifecycle) fx.Lifecycle { return boundLifecycle{lc, d} }

type boundLifecycle struct {
	fx.Lifecycle
	daemon *daemon
}

// Append adds a hook whose OnStart has the context of the daemon's start, and does
// not run when that has ended.
func (l boundLifecycle) Append(hook fx.Hook) {
	if start := hook.OnStart; start != nil {
		hook.OnStart = func(context.Context) error {
			if err := l.daemon.starting.Err(); err != nil {
				return err
			}
			return start(l.daemon.starting)
		}
	}
	l.Lifecycle.Append(hook)
}

// untilSignal returns a context that ends with the first signal that ends a
// daemon. It is for before anything is begun: a signal that is not taken kills
// the process, wherever it stands. A lost terminal and a closed pipe behind the
// log are nothing to a daemon. release undoes it.
func untilSignal(ctx context.Context) (_ context.Context, release func()) {
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	return ctx, func() {
		stop()
		signal.Reset(syscall.SIGHUP, syscall.SIGPIPE)
	}
}

// run starts the application, waits for the end of ctx or for a module that asks
// for the end, and stops it. It returns the exit code and why the start failed.
//
// It does what fx.App.Run leaves open: a signal during the start ends it, a start
// that fails in any way is undone, and a second SIGINT ends the process at once.
func (d *daemon) run(ctx context.Context) (int, error) {
	ended := d.app.Wait()
	var cancel context.CancelFunc
	d.starting, cancel = context.WithTimeout(ctx, d.app.StartTimeout())
	defer cancel()
	started := make(chan error, 1)
	go func() { started <- d.app.Start(context.WithoutCancel(ctx)) }()
	code := 0
	for running := true; running; {
		select {
		case err := <-started:
			if err != nil && ctx.Err() == nil {
				defer d.abortOnInterrupt()()
				return exitFailed, errors.Join(err, d.stop(ctx))
			}
			started = nil
		case end := <-ended:
			code, running = end.ExitCode, false
		case <-ctx.Done():
			running = false
		}
	}
	defer d.abortOnInterrupt()()
	d.log.Info("Caught termination signal, cleaning up and exiting...")
	if cancel(); started != nil {
		d.log.Debug("Stopped while starting", zap.Error(<-started))
	}
	if err := d.stop(ctx); err != nil {
		return exitFailed, err
	}
	d.log.Info("Shut down successfully")
	return code, nil
}

// stop stops the application. One whose start failed has been stopped by fx.
func (d *daemon) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.app.StopTimeout())
	defer cancel()
	return d.app.Stop(ctx)
}

// abortOnInterrupt makes a SIGINT from now on end the process at once, until the
// function it returns is called.
func (d *daemon) abortOnInterrupt() func() {
	again, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(again, syscall.SIGINT)
	go func() {
		select {
		case <-again:
			d.exit(exitAborted)
		case <-done:
		}
	}()
	return func() {
		signal.Stop(again)
		close(done)
	}
}
