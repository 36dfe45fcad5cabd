package daemon

import (
	"context"
	"fmt"
	"io"

	"go.uber.org/fx"
	"go.uber.org/zap"

	"dchat/modules/settingsfx"
)

// Serve runs a program with a configuration until a signal or the end of ctx. Why it
// could not start or stop is said on stderr as explain puts it; the error is then an
// ExitError, as it is when a module asks for an exit code.
func Serve(ctx context.Context, program string, config *settingsfx.Report, explain func(error) string, stderr io.Writer, options ...fx.Option) error {
	fail := func(err error) error {
		fmt.Fprintf(stderr, "%s: %s\n", program, explain(err))
		return ExitError(Failed)
	}
	ctx, release := UntilSignal(ctx)
	defer release()
	d, err := New(LogTo(stderr), fx.Options(options...))
	if err != nil {
		return fail(err)
	}
	if config.Created {
		d.Log.Info("Wrote a configuration file with the defaults", zap.String("file", config.File))
	}
	for _, warning := range config.Warnings {
		d.Log.Warn(warning)
	}
	code, err := d.Run(ctx)
	if err != nil {
		return fail(err)
	}
	if code != 0 {
		return ExitError(code)
	}
	return nil
}
