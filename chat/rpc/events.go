package rpc

import (
	"context"
	"strconv"

	"dchat/chat/jsonrpc"
	"dchat/p2p/dnet"
)

func (n nodeMethods) dnetSwitch(_ context.Context, c *jsonrpc.Call) (any, error) {
	var on bool
	if err := c.Args(&on); err != nil {
		return nil, err
	}
	n.node.Events().Switch(on)
	return true, nil
}

// Event is the one param of a notification of dnet.subscribe_events.
type Event struct {
	Event string `json:"event"`
	Info  any    `json:"info"`
}

func (n nodeMethods) dnetSubscribe(_ context.Context, c *jsonrpc.Call) (any, error) {
	if err := c.Args(); err != nil {
		return nil, err
	}
	watcher := n.node.Events().Watch()
	c.Stream(func(ctx context.Context, notify jsonrpc.Notify) error {
		defer watcher.Close()
		for {
			select {
			case e := <-watcher.Events():
				if err := notify(Event{Event: e.Name, Info: eventInfo(e)}); err != nil {
					return err
				}
			case <-ctx.Done():
				return nil
			}
		}
	})
	return jsonrpc.NoReply{}, nil
}

// eventInfo gives an event the form that existing tools read.
func eventInfo(e dnet.Event) map[string]any {
	a := e.Addr.Public().String()
	switch e.Name {
	case dnet.Send, dnet.Recv:
		return map[string]any{
			"chan": map[string]any{"addr": a, "id": e.Channel},
			"cmd":  e.Command,
			"time": strconv.FormatInt(e.Time.UnixNano(), 10),
		}
	case dnet.SlotSleeping:
		return map[string]any{"slot": e.Slot}
	case dnet.SlotConnecting:
		return map[string]any{"slot": e.Slot, "addr": a}
	case dnet.SlotConnected:
		return map[string]any{"slot": e.Slot, "addr": a, "channel_id": e.Channel}
	case dnet.SlotDisconnected:
		return map[string]any{"slot": e.Slot, "err": e.Err}
	case dnet.OutboundDiscovery, dnet.DirectDiscovery:
		return map[string]any{"attempt": e.Attempt, "state": e.State}
	case dnet.DirectConnecting:
		return map[string]any{"connect_addr": a}
	case dnet.DirectConnected: // the channel has the address that was asked for
		return map[string]any{"connect_addr": a, "addr": a, "channel_id": e.Channel}
	case dnet.DirectDisconnected:
		return map[string]any{"connect_addr": a, "err": e.Err}
	default: // dnet.InboundConnected, dnet.InboundDisconnected
		return map[string]any{"addr": a, "channel_id": e.Channel}
	}
}
