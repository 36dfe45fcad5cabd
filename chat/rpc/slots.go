package rpc

import (
	"context"

	"dchat/chat/jsonrpc"
	"dchat/p2p/session"
)

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
		slots = append(slots, slotOf(s.Number, s))
	}
	return slots, nil
}

func slotOf(number int, s session.Slot) Slot {
	slot := Slot{Slot: number, State: string(s.State), Since: rfc3339(s.Since), Addr: s.Addr.Public().String(), Channel: s.Channel}
	if s.Err != nil {
		slot.Error = s.Err.Error()
	}
	return slot
}
