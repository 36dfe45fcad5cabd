package doctor

import (
	"context"

	"dchat/chat/jsonrpc"
	"dchat/chat/rpc"
)

// Method is the RPC method by which a daemon is asked for a Report of itself. It takes
// no params.
const Method = "p2p.doctor"

// Methods returns Method, which examines what patient returns.
func Methods(patient func() Patient) rpc.Methods {
	return rpc.Methods{Method: func(ctx context.Context, c *jsonrpc.Call) (any, error) {
		if err := c.Args(); err != nil {
			return nil, err
		}
		return Examine(ctx, patient()), nil
	}}
}
