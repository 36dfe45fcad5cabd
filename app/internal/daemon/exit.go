package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// The exit codes of a daemon, beside 0 and those that a module asks for.
const (
	Failed  = 1   // the start or the stop failed
	Usage   = 2   // a flag, the environment or the configuration file is wrong; nothing was started
	Lost    = 3   // an address could not be listened on any more
	Aborted = 130 // a second SIGINT
)

// ExitError carries an exit code through cobra; its cause has been reported.
type ExitError int

func (e ExitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// Execute runs the command of a daemon with these arguments, and returns the exit code.
func Execute(ctx context.Context, root *cobra.Command, args []string, stdout, stderr io.Writer) int {
	root.SilenceUsage, root.SilenceErrors = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var code ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	default: // cobra's own: a flag or an argument
		fmt.Fprintf(stderr, "%s: %v\nRun '%[1]s --help' for what it takes.\n", root.Name(), err)
		return Usage
	}
}
