package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"

	"dchat/chat"
	"dchat/chat/jsonrpc"
	"dchat/chat/rpc"
)

// The exit codes; the help of the command explains them.
const (
	exitDone = iota
	exitFailed
	exitUsage
	exitUnreachable
	exitNobody
)

// errUsage marks what is wrong with the arguments of a command.
var errUsage = errors.New("wrong usage")

// explained is an error in words for the user, around the one that programs look at.
type explained struct {
	text  string
	cause error
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.cause }

func explain(cause error, format string, args ...any) error {
	return &explained{fmt.Sprintf(format, args...), cause}
}

func usage(format string, args ...any) error { return explain(errUsage, format, args...) }

// failure is what a command ends with when it fails; other errors come from the
// parsing of the command line.
type failure struct{ error }

// Unwrap returns the reason.
func (f failure) Unwrap() error { return f.error }

// reported is an error that the user has read about already.
type reported struct{ error }

// Unwrap returns the reason.
func (r reported) Unwrap() error { return r.error }

func exitCode(err error) int {
	switch {
	case err == nil:
		return exitDone
	case !errors.As(err, new(failure)), errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, jsonrpc.ErrUnreachable):
		return exitUnreachable
	case errors.Is(err, chat.ErrNoPeers):
		return exitNobody
	default:
		return exitFailed
	}
}

// explain says what an error of a call means for the user, and what to do.
func (d *daemon) explain(err error) error {
	if err == nil {
		return nil
	}
	at := peerName(d.endpoint)
	answer := (*jsonrpc.Error)(nil)
	switch {
	case errors.As(err, &answer):
		return explainAnswer(at, answer, err)
	case errors.Is(err, jsonrpc.ErrUnreachable):
		return explain(err, "no daemon at %s (%s): start one with `dchatd`, or name another with --endpoint", at, dialReason(err))
	case errors.Is(err, jsonrpc.ErrDisconnected):
		return explain(err, "the daemon at %s ended the connection before it answered: whether it did what was asked is unknown; if it does so each time, check --endpoint", at)
	case errors.Is(err, jsonrpc.ErrProtocol):
		return explain(err, "what answers at %s is no dchat daemon, or breaks off: check --endpoint (%v)", at, err)
	case errors.Is(err, context.DeadlineExceeded):
		return explain(err, "the daemon at %s did not answer within %v: whether it did what was asked is unknown", at, answerTime)
	case errors.Is(err, context.Canceled):
		return explain(err, "interrupted before the daemon at %s answered: whether it did what was asked is unknown", at)
	default:
		return err
	}
}

func explainAnswer(at string, answer *jsonrpc.Error, err error) error {
	switch answer.Code {
	case rpc.CodeNoPeers:
		return explain(chat.ErrNoPeers, "nobody is connected: not sent; see `dchat peers`, and give dchatd somebody to connect to with --peers")
	case rpc.CodeNotRunning:
		return explain(err, "the daemon at %s is starting or stopping: try again", at)
	case jsonrpc.CodeMethodNotFound:
		return explain(err, "the daemon at %s does not know this command: it is an older or another one, or its rpc_disabled_methods forbids it (%v)", at, err)
	case jsonrpc.CodeInvalidParams:
		if why := detail(answer); why != "" {
			return explain(err, "refused: %s", why)
		}
	case rpc.CodeConfig:
		if why := detail(answer); why != "" {
			return explain(err, "nothing has changed: %s", strings.ReplaceAll(why, "\n", "; "))
		}
	}
	return explain(err, "the daemon at %s answered with an error: %v", at, answer)
}

// detail is what exactly was wrong; nothing when that is not said.
func detail(answer *jsonrpc.Error) (why string) {
	raw, _ := answer.Data.(json.RawMessage)
	if json.Unmarshal(raw, &why) != nil {
		return ""
	}
	return why
}

// unanswered makes of an answer that did not come in time a daemon that is not reachable,
// for a command that changes nothing.
func unanswered(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return explain(errors.Join(jsonrpc.ErrUnreachable, err), "%v", err)
	}
	return err
}

// unsure tells whether, after an error of Send, the text may have been sent.
func unsure(err error) bool {
	if errors.Is(err, jsonrpc.ErrUnreachable) {
		return false // also when the connection had ended: nothing was run
	}
	return errors.Is(err, jsonrpc.ErrDisconnected) || errors.Is(err, jsonrpc.ErrProtocol) || errors.Is(err, context.DeadlineExceeded)
}

// dialReason is the innermost part of why a connection could not be made.
func dialReason(err error) string {
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		return op.Err.Error()
	}
	return err.Error()
}
