package jsonrpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"

	"go.uber.org/zap"
)

const version = "2.0"

// The shapes of what goes over the wire, in both directions.
type (
	callMessage struct {
		Version string          `json:"jsonrpc"`
		ID      int64           `json:"id"`
		Method  string          `json:"method"`
		Params  json.RawMessage `json:"params"`
	}
	notification struct {
		Version string `json:"jsonrpc"`
		Method  string `json:"method"`
		Params  []any  `json:"params"`
	}
	resultMessage struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Result  any             `json:"result"`
	}
	errorMessage struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"` // nil is null
		Error   *Error          `json:"error"`
	}
)

// outcome is what a request has come to: a reply, or none, and a stream to run after it, or nil.
type outcome struct {
	text   []byte // the reply; nil when there is none, or it has a list
	list   List   // the result, when it is one
	failed bool   // text is an error object
	stream StreamFunc
}

// enterHuge waits for a place among the huge requests, which leaveHuge gives back.
func (s *Server) enterHuge(ctx context.Context) error {
	select {
	case s.huge <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Server) leaveHuge() { <-s.huge }

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
	if list, _ := result.(List); list != nil && call.stream == nil {
		return outcome{list: list}
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

// produce runs what sends a stream, or a reply bit by bit. The error is nil when there is nobody
// any more to tell.
func (s *Server) produce(ctx context.Context, method string, send func() error) (err error) {
	defer func() {
		if ctx.Err() != nil || errors.Is(err, ErrDisconnected) {
			err = nil
		}
		if err != nil {
			s.log.Warn("JSON-RPC reply or subscription broke off", zap.String("method", method), zap.Error(err))
		}
	}()
	defer recovered(&err)
	return send()
}

func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
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

func encodeResult(id json.RawMessage, result any) ([]byte, error) {
	return json.Marshal(resultMessage{version, id, result})
}

// encodeError always gives a message: a detail that has no JSON form is left out.
func encodeError(id json.RawMessage, e *Error) []byte {
	text, err := json.Marshal(errorMessage{version, id, e})
	if err != nil {
		text, _ = json.Marshal(errorMessage{version, id, &Error{Code: e.Code, Message: e.Message}})
	}
	return text
}

func encodeNotification(method string, params []any) ([]byte, error) {
	if params == nil {
		params = []any{}
	}
	return json.Marshal(notification{version, method, params})
}

// sendPart sends a part of a message, which is not used any more then. Behind the last one the
// message is whole.
type sendPart func(part []byte, last bool) error

// sendList encodes the reply whose result is list, and sends it in parts of about writeChunk bytes.
func sendList(id json.RawMessage, list List, send sendPart) error {
	part := fmt.Appendf(nil, `{"jsonrpc":%q,"id":%s,"result":[`, version, id)
	separator := ""
	for item := range list {
		text, err := json.Marshal(item)
		if err != nil {
			return err
		}
		part = append(append(part, separator...), text...)
		separator = ","
		if len(part) >= writeChunk {
			if err := send(part, false); err != nil {
				return err
			}
			part = nil
		}
	}
	return send(append(part, "]}"...), true)
}
