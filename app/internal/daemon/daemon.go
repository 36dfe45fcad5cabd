package daemon

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"go.uber.org/fx"
	"go.uber.org/zap"

	"dchat/app/internal/stdlog"
)

// Daemon runs an application from its start to its end.
type Daemon struct {
	Log  *zap.Logger    // of the application
	Exit func(code int) // os.Exit, but for tests

	app      *fx.App
	starting context.Context // bounds the start
}

// New builds the application, which has to provide a *zap.Logger; nothing runs yet.
func New(options ...fx.Option) (*Daemon, error) {
	d := &Daemon{Exit: os.Exit}
	d.app = fx.New(fx.Decorate(d.bound), fx.Options(options...), fx.Populate(&d.Log))
	return d, d.app.Err()
}

// bound makes the context of the start reach the OnStart hooks alone. fx does not
// wait for a hook when the context it was given itself ends: it would stop the
// application, or leave it, while the hook still runs.
func (d *Daemon) bound(lc fx.Lifecycle) fx.Lifecycle { return boundLifecycle{lc, d} }

type boundLifecycle struct {
	fx.Lifecycle
	daemon *Daemon
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

// UntilSignal returns a context that ends with the first signal that ends a
// daemon. It is for before anything is begun: a signal that is not taken kills
// the process, wherever it stands. A lost terminal and a closed pipe behind the
// log are nothing to a daemon. release undoes it.
func UntilSignal(ctx context.Context) (_ context.Context, release func()) {
	signal.Ignore(syscall.SIGPIPE)
	hangups := make(chan os.Signal, 1) // nobody looks at them here
	signal.Notify(hangups, syscall.SIGHUP)
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	return ctx, func() {
		stop()
		signal.Stop(hangups)
		signal.Reset(syscall.SIGPIPE)
	}
}

// Run starts the application, waits for the end of ctx or for a module that asks
// for the end, and stops it. It returns the exit code and why the start failed.
//
// It does what fx.App.Run leaves open: a signal during the start ends it, a start
// that fails in any way is undone, and a second SIGINT ends the process at once. What
// libraries say through the standard log package stands in the application's log meanwhile,
// at debug.
func (d *Daemon) Run(ctx context.Context) (int, error) {
	defer stdlog.Redirect(d.Log)()
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
				return Failed, errors.Join(err, d.stop(ctx))
			}
			started = nil
		case end := <-ended:
			code, running = end.ExitCode, false
		case <-ctx.Done():
			running = false
		}
	}
	defer d.abortOnInterrupt()()
	if code == 0 { // else it was a module, which has said why
		d.Log.Info("Caught termination signal, cleaning up and exiting...")
	}
	if cancel(); started != nil {
		d.Log.Debug("Stopped while starting", zap.Error(<-started))
	}
	if err := d.stop(ctx); err != nil {
		return Failed, err
	}
	d.Log.Info("Shut down successfully")
	return code, nil
}

// stop stops the application. One whose start failed has been stopped by fx.
func (d *Daemon) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.app.StopTimeout())
	defer cancel()
	return d.app.Stop(ctx)
}

// abortOnInterrupt makes a SIGINT from now on end the process at once, until the
// function it returns is called.
func (d *Daemon) abortOnInterrupt() func() {
	again, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(again, syscall.SIGINT)
	go func() {
		select {
		case <-again:
			d.Exit(Aborted)
		case <-done:
		}
	}()
	return func() {
		signal.Stop(again)
		close(done)
	}
}
