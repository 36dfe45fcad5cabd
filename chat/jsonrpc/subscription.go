package jsonrpc

import (
	"context"
	"encoding/json"
)

// Subscription is a stream of notifications. Next must not be called by two goroutines at once;
// Close may be called at any time.
//
// What is not fetched waits in the server's socket buffers; a server may leave out, or cut off, who
// does not keep up.
type Subscription struct {
	in    *pump
	first json.RawMessage // the notification that showed that the request was taken, or nil
}

// Next waits for the next notification and returns its params: valid JSON, by convention an array.
// ctx's error leaves the subscription as it is; after ErrDisconnected or ErrProtocol there is no
// more.
func (s *Subscription) Next(ctx context.Context) (json.RawMessage, error) {
	if params := s.first; params != nil {
		s.first = nil
		return params, nil
	}
	for {
		line, err := s.in.next(ctx)
		if err != nil {
			return nil, err
		}
		a, err := parseAnswer(line)
		switch {
		case err != nil:
			return nil, err
		case a.Method != "":
			return a.Params, nil
		case a.isRefusal():
			return nil, a.Error.typed()
		}
	}
}

// Close ends the subscription and its connection.
func (s *Subscription) Close() error { return s.in.close() }
