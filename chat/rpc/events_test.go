package rpc

import (
	"reflect"
	"testing"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/dnet"
)

func TestEveryEventHasTheInfoThatToolsKnow(t *testing.T) {
	const shown = "tcp://192.0.2.1:5/"
	// Every field is set, so that one that does not belong to an event is seen in it.
	full := dnet.Event{
		Addr: addr.MustParse("tcp://user:secret@192.0.2.1:5/?q#f"), Channel: 7, Command: "addr", Time: time.Unix(3, 14),
		Slot: 2, Err: "refused", Attempt: 4, State: dnet.AskingSeeds,
	}
	slot := func(more map[string]any) map[string]any { more["slot"] = 2; return more }
	message := map[string]any{"chan": map[string]any{"addr": shown, "id": uint32(7)}, "cmd": "addr", "time": "3000000014"}
	inbound := map[string]any{"addr": shown, "channel_id": uint32(7)}
	discovery := map[string]any{"attempt": 4, "state": "seed"}
	for name, want := range map[string]map[string]any{
		dnet.Send:                message,
		dnet.Recv:                message,
		dnet.InboundConnected:    inbound,
		dnet.InboundDisconnected: inbound,
		dnet.SlotSleeping:        slot(map[string]any{}),
		dnet.SlotConnecting:      slot(map[string]any{"addr": shown}),
		dnet.SlotConnected:       slot(map[string]any{"addr": shown, "channel_id": uint32(7)}),
		dnet.SlotDisconnected:    slot(map[string]any{"err": "refused"}),
		dnet.OutboundDiscovery:   discovery,
		dnet.DirectDiscovery:     discovery,
		dnet.DirectConnecting:    {"connect_addr": shown},
		dnet.DirectConnected:     {"connect_addr": shown, "addr": shown, "channel_id": uint32(7)},
		dnet.DirectDisconnected:  {"connect_addr": shown, "err": "refused"},
	} {
		e := full
		e.Name = name
		if got := eventInfo(e); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\nwant %v", name, got, want)
		}
	}
}
