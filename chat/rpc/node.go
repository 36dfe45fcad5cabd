package rpc

import (
	"context"
	"time"

	"dchat/chat/jsonrpc"
	"dchat/p2p"
	"dchat/p2p/session"
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

// Slot is one outbound slot in the result of p2p.slots.
type Slot struct {
	Slot    int    `json:"slot"`    // from 0, as in the events
	State   string `json:"state"`   // sleeping, waiting, connecting or connected
	Since   string `json:"since"`   // RFC 3339
	Addr    string `json:"addr"`    // while connecting and connected; else empty
	Channel uint32 `json:"channel"` // once connected; else 0
	Error   string `json:"error"`   // why the last attempt failed; empty after a success
}

func (n nodeMethods) slots(context.Context, *jsonrpc.Call) (any, error) {
	slots := []Slot{}
	for _, s := range n.node.Slots() {
		slots = append(slots, slotOf(s))
	}
	return slots, nil
}

func slotOf(s session.Slot) Slot {
	slot := Slot{Slot: s.Number, State: string(s.State), Since: rfc3339(s.Since), Addr: s.Addr.Public().String(), Channel: s.Channel}
	if s.Err != nil {
		slot.Error = s.Err.Error()
	}
	return slot
}

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
