package jsonrpc

import (
	"encoding/json"
	"fmt"
)

// The error codes this package itself sends. The meaning of the first five is JSON-RPC's own.
const (
	CodeParse          = -32700 // the line is not JSON; the connection is closed
	CodeInvalidRequest = -32600 // the JSON is not one request; the connection is closed
	CodeMethodNotFound = -32601 // no such method, or it is disabled
	CodeInvalidParams  = -32602 // the params are not what the method wants
	CodeInternal       = -32603 // the method failed; the reason is in the server's log
	CodeLimit          = -32000 // too many connections (closed), or too many streams on this one
)

// Error is the error object of a reply. A handler that returns one has it sent as it is; a client's
// call that was answered with one returns it. On the client's side every text in it is the
// server's: escape it before it reaches a terminal.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`        // the same text for every error of a code
	Data    any    `json:"data,omitempty"` // what exactly was wrong, or nil; a json.RawMessage on the client's side
}

// Error gives message, code and, where there is one, the detail.
func (e *Error) Error() string {
	switch detail := e.Data.(type) {
	case nil:
		return fmt.Sprintf("%s (%d)", e.Message, e.Code)
	case json.RawMessage:
		return fmt.Sprintf("%s (%d): %s", e.Message, e.Code, detail)
	default:
		return fmt.Sprintf("%s (%d): %v", e.Message, e.Code, detail)
	}
}

// InvalidParams is the error for params that a method cannot take; the formatted text tells the
// caller what it wants instead.
func InvalidParams(format string, args ...any) *Error {
	return &Error{Code: CodeInvalidParams, Message: "invalid params", Data: fmt.Sprintf(format, args...)}
}

func parseError(detail string) *Error {
	return &Error{Code: CodeParse, Message: "parse error", Data: detail}
}

func invalidRequest(detail string) *Error {
	return &Error{Code: CodeInvalidRequest, Message: "invalid request", Data: detail}
}

func limitError(detail string) *Error {
	return &Error{Code: CodeLimit, Message: "limit reached", Data: detail}
}
