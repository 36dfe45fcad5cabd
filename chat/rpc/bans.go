package rpc

import (
	"context"
	"time"

	"dchat/chat/jsonrpc"
)

// Ban is one ban in the result of p2p.bans. Host is what p2p.unban takes; the
// times are in the form of RFC 3339.
type Ban struct {
	Host     string `json:"host"`
	Reason   string `json:"reason"`
	Since    string `json:"since"`
	Until    string `json:"until"`
	Offences int    `json:"offences"` // of this host so far
}

func (n nodeMethods) bans(context.Context, *jsonrpc.Call) (any, error) {
	bans := []Ban{}
	for _, b := range n.node.Hosts().Bans() {
		bans = append(bans, Ban{Host: b.Host, Reason: b.Reason, Since: rfc3339(b.Since), Until: rfc3339(b.Until), Offences: b.Offences})
	}
	return bans, nil
}

// unban answers whether there was such a ban.
func (n nodeMethods) unban(_ context.Context, c *jsonrpc.Call) (any, error) {
	var host string
	if err := c.Args(&host); err != nil {
		return nil, err
	}
	return n.node.Hosts().Unban(host), nil
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }
