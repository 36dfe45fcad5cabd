package jsonrpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"reflect"
)

// Handler is one method. Its result is sent as JSON, a [List] bit by bit; [NoReply] sends nothing. An [*Error], also a
// wrapped one, is sent as it is; any other error is logged and answered with CodeInternal and none
// of its text, and so is a panic.
//
// ctx ends when the client has gone or the server stops. Calls from different connections run at
// the same time.
type Handler func(ctx context.Context, c *Call) (any, error)

// List is a result that is sent as an array. Its items are asked for one after the other, as the
// client takes them, and none is kept: so a long list is never in memory as a whole. It must not
// wait for anything, and cannot come with a stream. On a panic, or an item that has no JSON form,
// the connection is closed inside the reply.
type List iter.Seq[any]

// NoReply is the result of a method that answers nothing, as a subscription may.
type NoReply struct{}

// Notify sends one notification that carries the name of the method that was called and the given
// values as its array of params. It waits while the client does not read, at most for the server's
// write timeout. The error is ErrDisconnected when the client has gone; any other means that the
// values have no JSON form.
type Notify func(params ...any) error

// StreamFunc sends notifications until ctx ends, the source has no more, or notify fails. See
// [Call.Stream].
type StreamFunc func(ctx context.Context, notify Notify) error

// Call is one request being handled. It belongs to its handler, and must not be used after the
// handler has returned.
type Call struct {
	params json.RawMessage
	stream StreamFunc
}

// Params is the raw JSON array or object of params: valid JSON in UTF-8. It must not be changed.
func (c *Call) Params() json.RawMessage { return c.params }

// Args decodes an array of exactly len(dst) params into the pointers dst. The error is an
// InvalidParams: on an object, another number of params, a null, or a value of another type.
func (c *Call) Args(dst ...any) error {
	return c.decodeArgs(dst, true)
}

// FirstArgs is Args for a method that ignores the params that follow its own.
func (c *Call) FirstArgs(dst ...any) error {
	return c.decodeArgs(dst, false)
}

func (c *Call) decodeArgs(dst []any, exact bool) error {
	if c.params[0] != '[' {
		return InvalidParams("want an array of %d params", len(dst))
	}
	decoder := json.NewDecoder(bytes.NewReader(c.params))
	if _, err := decoder.Token(); err != nil { // the opening bracket
		return InvalidParams("%v", err)
	}
	for i, target := range dst {
		if !decoder.More() {
			return InvalidParams("want %d params, got %d", len(dst), i)
		}
		if err := decodeArg(decoder, target); err != nil {
			return InvalidParams("param %d: %v", i+1, err)
		}
	}
	if exact && decoder.More() {
		return InvalidParams("want %d params, got more", len(dst))
	}
	return nil
}

func decodeArg(decoder *json.Decoder, target any) error {
	var value json.RawMessage
	if err := decoder.Decode(&value); err != nil {
		return err
	}
	if string(value) == "null" { // which Unmarshal takes for anything, and does nothing
		return fmt.Errorf("want %s, got null", reflect.TypeOf(target).Elem())
	}
	return typeError(json.Unmarshal(value, target))
}

// Object decodes an object of params into the struct that dst points to; an empty array, which is
// also what missing params are, leaves it as it is. The error is an InvalidParams: on any other
// array, a member that the struct does not have, or a value of another type. A null member counts
// as missing.
func (c *Call) Object(dst any) error {
	if c.params[0] == '[' {
		if c.Args() != nil {
			return InvalidParams("want an object")
		}
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(c.params))
	decoder.DisallowUnknownFields()
	if err := typeError(decoder.Decode(dst)); err != nil {
		return InvalidParams("%v", err)
	}
	return nil
}

// typeError says what encoding/json means without naming Go's structs.
func typeError(err error) error {
	mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !ok:
		return err
	case mismatch.Field == "":
		return fmt.Errorf("want %s, got %s", mismatch.Type, mismatch.Value)
	default:
		return fmt.Errorf("%s: want %s, got %s", mismatch.Field, mismatch.Type, mismatch.Value)
	}
}

// Stream has run send notifications in the background, after the reply (or instead of it, with
// NoReply), while the connection goes on to answer other requests.
//
// When the handler returns without an error, run is called once, in any case: so it can release
// what the handler has subscribed to. Its ctx has ended already when there is nobody to send to.
// When the handler returns an error, run is not called. The connection waits for run to return
// before it is done, so run must heed its ctx, which ends with the connection: also when the client
// closes its sending side. When run returns an error while the client is still there, the
// connection is closed, which tells the client that something is missing; nil leaves it open.
// Notify must not be called from two goroutines at once.
func (c *Call) Stream(run StreamFunc) { c.stream = run }
