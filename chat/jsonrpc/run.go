package jsonrpc

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"go.uber.org/zap"
)

// outcome is what a request has come to: the text of its reply, or nil for none, and a stream to
// run after it, or nil.
type outcome struct {
	text   []byte
	failed bool // text is an error object
	stream StreamFunc
}

// run runs one request.
func (s *Server) run(ctx context.Context, req request) outcome {
	handler, ok := s.methods[req.method]
	if !ok {
		return failure(req, &Error{Code: CodeMethodNotFound, Message: "method not found"})
	}
	call := &Call{params: req.params}
	result, err := handle(ctx, handler, call)
	if err != nil {
		return failure(req, s.sendable(ctx, req.method, err))
	}
	if _, none := result.(NoReply); none {
		return outcome{stream: call.stream}
	}
	text, err := encodeResult(req.id, result)
	if err != nil {
		text = encodeError(req.id, s.sendable(ctx, req.method, err))
	}
	return outcome{text: text, failed: err != nil, stream: call.stream}
}

func failure(req request, e *Error) outcome {
	return outcome{text: encodeError(req.id, e), failed: true}
}

// handle makes of a handler's panic an error: a mistake in one method must not end everything else.
func handle(ctx context.Context, handler Handler, call *Call) (result any, err error) {
	defer recovered(&err)
	return handler(ctx, call)
}

// stream runs a stream to its end. The error is nil when there is nobody any more to tell.
func (s *Server) stream(ctx context.Context, method string, run StreamFunc, notify Notify) (err error) {
	defer func() {
		if ctx.Err() != nil || errors.Is(err, ErrDisconnected) {
			err = nil
		}
		if err != nil {
			s.log.Warn("JSON-RPC subscription failed", zap.String("method", method), zap.Error(err))
		}
	}()
	defer recovered(&err)
	return run(ctx, notify)
}

func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

// ended gives a context that has ended.
func ended(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

// sendable gives what the client is told of an error.
func (s *Server) sendable(ctx context.Context, method string, err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if ctx.Err() == nil {
		s.log.Error("JSON-RPC method failed", zap.String("method", method), zap.Error(err))
	}
	return &Error{Code: CodeInternal, Message: "internal error"}
}
