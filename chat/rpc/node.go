package rpc

import (
	"context"
	"strconv"

	"dchat/chat/jsonrpc"
	"dchat/p2p"
	"dchat/p2p/dnet"
)

// Methods are handlers by the names of their methods.
type Methods = map[string]jsonrpc.Handler

// NodeMethods returns the methods that look at a node: ping, p2p.get_info,
// p2p.peers, p2p.slots, p2p.bans, p2p.unban, dnet.switch and
// dnet.subscribe_events.
func NodeMethods(node *p2p.P2p) Methods {
	n := nodeMethods{node}
	return Methods{
		"ping":                  n.ping,
		"p2p.get_info":          n.getInfo,
		"p2p.peers":             n.peers,
		"p2p.slots":             n.slots,
		"p2p.bans":              n.bans,
		"p2p.unban":             n.unban,
		"dnet.switch":           n.dnetSwitch,
		"dnet.subscribe_events": n.dnetSubscribe,
	}
}

type nodeMethods struct{ node *p2p.P2p }

func (nodeMethods) ping(context.Context, *jsonrpc.Call) (any, error) { return "pong", nil }

// Info is the result of p2p.get_info.
type Info struct {
	Channels      []ChannelInfo `json:"channels"`
	OutboundSlots []uint32      `json:"outbound_slots"` // the channel of each slot, or 0
}

// ChannelInfo is one connected peer in an Info.
type ChannelInfo struct {
	URL     string `json:"url"`
	Session string `json:"session"`
	ID      uint32 `json:"id"`
}

func (n nodeMethods) getInfo(context.Context, *jsonrpc.Call) (any, error) {
	info := Info{Channels: []ChannelInfo{}, OutboundSlots: []uint32{}}
	for _, ch := range n.node.Channels() {
		info.Channels = append(info.Channels, ChannelInfo{URL: ch.Addr().Public().String(), Session: ch.Kind().String(), ID: ch.ID()})
	}
	for _, s := range n.node.Slots() {
		info.OutboundSlots = append(info.OutboundSlots, s.Channel)
	}
	return info, nil
}

// Peer is one connected peer in the result of p2p.peers. Version and Features are
// what the peer says of itself.
type Peer struct {
	Addr        string   `json:"addr"`
	Session     string   `json:"session"`
	ID          uint32   `json:"id"`
	Connected   string   `json:"connected"` // RFC 3339
	Version     string   `json:"version"`
	Features    []string `json:"features"`
	BytesIn     uint64   `json:"bytes_in"`
	BytesOut    uint64   `json:"bytes_out"`
	MessagesIn  uint64   `json:"messages_in"`
	MessagesOut uint64   `json:"messages_out"`
	Dropped     uint64   `json:"dropped"` // messages to us that a full queue lost
	Refused     uint64   `json:"refused"` // messages to it that were not queued
	Queued      int      `json:"queued"`  // bytes that wait to be sent
}

func (n nodeMethods) peers(context.Context, *jsonrpc.Call) (any, error) {
	peers := []Peer{}
	for _, ch := range n.node.Channels() {
		stats, remote := ch.Stats(), ch.Remote()
		p := Peer{
			Addr:        ch.Addr().Public().String(),
			Session:     ch.Kind().String(),
			ID:          ch.ID(),
			Connected:   rfc3339(ch.Created()),
			Version:     remote.AppName + " " + remote.AppVersion.String(),
			Features:    []string{},
			BytesIn:     stats.BytesIn,
			BytesOut:    stats.BytesOut,
			MessagesIn:  stats.MessagesIn,
			MessagesOut: stats.MessagesOut,
			Dropped:     stats.Dropped,
			Refused:     stats.Refused,
			Queued:      stats.Queued,
		}
		for _, f := range remote.Features {
			p.Features = append(p.Features, f.Name)
		}
		peers = append(peers, p)
	}
	return peers, nil
}

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
