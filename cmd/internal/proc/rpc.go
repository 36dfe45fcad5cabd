package proc

import (
	"context"
	"net"
	"testing"

	"dchat/chat/jsonrpc"
)

// Client connects to the JSON-RPC of the process as soon as it answers. The test closes it at its end.
func (p *Process) Client() *jsonrpc.Client {
	p.T.Helper()
	var c *jsonrpc.Client
	Eventually(p.T, Patience, func() (err error) {
		c, err = jsonrpc.Dial(p.T.Context(), p.RPC)
		return err
	})
	p.T.Cleanup(func() { _ = c.Close() })
	return c
}

// Call calls a method, over a connection of its own. One param that is a map is the params.
func (p *Process) Call(result any, method string, params ...any) error {
	p.T.Helper()
	c := p.Client()
	defer func() { _ = c.Close() }()
	var args any = append([]any{}, params...)
	if len(params) == 1 {
		if object, ok := params[0].(map[string]any); ok {
			args = object
		}
	}
	ctx, cancel := context.WithTimeout(p.T.Context(), Patience)
	defer cancel()
	return c.Call(ctx, method, args, result)
}

// Ask is Call of a method that has to succeed, and returns the result.
func Ask[R any](p *Process, method string, params ...any) R {
	p.T.Helper()
	var result R
	if err := p.Call(&result, method, params...); err != nil {
		p.T.Fatal(err)
	}
	return result
}

// FreeAddress is one of 127.0.0.1 on which nobody listens.
func FreeAddress(t testing.TB) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return "tcp://" + l.Addr().String() + "/"
}
