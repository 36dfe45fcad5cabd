package rpc

import (
	"context"

	"dchat/chat/jsonrpc"
)

// CodeConfig says that the configuration cannot be applied, so that nothing has
// changed. The data is a text with a line for every fault.
const CodeConfig = -32012

// Reloaded is the result of p2p.reload: the keys of the configuration, such as
// "net.peers", that have changed and were applied, and those that are not as the
// daemon was started with and wait for its next start.
type Reloaded struct {
	Applied []string `json:"applied"`
	Restart []string `json:"restart"`
}

// ReloadMethods returns p2p.reload, which calls reload; the error of that is for
// the caller to read. It may be called at the same time as itself.
func ReloadMethods(reload func() (Reloaded, error)) Methods {
	return Methods{"p2p.reload": func(_ context.Context, c *jsonrpc.Call) (any, error) {
		if err := c.Args(); err != nil {
			return nil, err
		}
		result, err := reload()
		if err != nil {
			return nil, &jsonrpc.Error{Code: CodeConfig, Message: "the configuration cannot be applied: nothing has changed", Data: err.Error()}
		}
		// An empty list, not null, is for those who count.
		result.Applied, result.Restart = append([]string{}, result.Applied...), append([]string{}, result.Restart...)
		return result, nil
	}}
}
