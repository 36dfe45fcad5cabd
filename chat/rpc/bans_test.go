package rpc

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"dchat/chat/jsonrpc"
	"dchat/p2p/addr"
	"dchat/p2p/hosts"
	"dchat/p2p/session"
)

func TestBansAreListedAndLifted(t *testing.T) {
	d := startDaemon(t)
	if got, err := d.call(t, "p2p.bans", `[]`); got != `[]` || err != nil {
		t.Fatalf("with no bans: %s, %v", got, err)
	}
	before := time.Now().Truncate(time.Second)
	if _, ok := d.chat.P2p().Hosts().Offend(hosts.Offence{Peer: addr.MustParse("tcp://51.15.1.1:5"), Reason: "a frame with wrong magic bytes"}); !ok {
		t.Fatal("no ban comes of an offence")
	}
	var bans []map[string]any
	must(t, d.client.Call(t.Context(), "p2p.bans", []int{}, &bans))
	if len(bans) != 1 || len(bans[0]) != 5 || bans[0]["reason"] != "a frame with wrong magic bytes" || bans[0]["offences"] != 1.0 {
		t.Fatalf("bans are %v", bans)
	}
	since, until := timeOf(t, bans[0]["since"]), timeOf(t, bans[0]["until"])
	if since.Before(before) || since.After(time.Now()) || until.Sub(since) != 24*time.Hour {
		t.Errorf("from %v until %v, want a day from now", since, until)
	}
	host, err := json.Marshal([]any{bans[0]["host"]})
	must(t, err)
	for _, want := range []string{`true`, `false`} {
		if got, err := d.call(t, "p2p.unban", string(host)); got != want || err != nil {
			t.Errorf("lifting: %s, %v, want %s", got, err, want)
		}
	}
	if got, err := d.call(t, "p2p.bans", `[]`); got != `[]` || err != nil {
		t.Errorf("lifted, and still there: %s, %v", got, err)
	}
}

func timeOf(t *testing.T, value any) time.Time {
	t.Helper()
	text, _ := value.(string)
	at, err := time.Parse(time.RFC3339, text)
	must(t, err)
	return at
}

func TestASlotSaysWhatItIsDoing(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8, time.FixedZone("", 3600))
	peer := addr.MustParse("tcp://u:secret@203.0.113.9:5")
	for want, slot := range map[string]session.Slot{
		`{"slot":3,"state":"sleeping","since":"2026-03-04T04:06:07Z","addr":"","channel":0,"error":""}`:                              {Number: 3, State: session.SlotSleeping, Since: at},
		`{"slot":3,"state":"waiting","since":"2026-03-04T04:06:07Z","addr":"","channel":0,"error":"refused"}`:                        {Number: 3, State: session.SlotWaiting, Since: at, Err: errors.New("refused")},
		`{"slot":3,"state":"connecting","since":"2026-03-04T04:06:07Z","addr":"tcp://203.0.113.9:5/","channel":0,"error":"refused"}`: {Number: 3, State: session.SlotConnecting, Since: at, Addr: peer, Err: errors.New("refused")},
		`{"slot":3,"state":"connected","since":"2026-03-04T04:06:07Z","addr":"tcp://203.0.113.9:5/","channel":9,"error":""}`:         {Number: 3, State: session.SlotConnected, Since: at, Addr: peer, Channel: 9},
	} {
		got, err := json.Marshal(slotOf(slot))
		if must(t, err); string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// A node has its eight slots from the start, also while it knows nobody to fill them with.
func TestSlotsAreListed(t *testing.T) {
	d := startDaemon(t)
	eventually(t, func() bool { return len(d.chat.P2p().Slots()) == 8 })
	var slots []Slot
	must(t, d.client.Call(t.Context(), "p2p.slots", []int{}, &slots))
	var info Info
	must(t, d.client.Call(t.Context(), "p2p.get_info", []int{}, &info))
	if len(slots) != 8 || len(info.OutboundSlots) != 8 {
		t.Fatalf("slots are %+v and %v, want 8", slots, info.OutboundSlots)
	}
	for i, s := range slots {
		if s.Slot != i || s.Channel != 0 || info.OutboundSlots[i] != 0 || s.State == "" || time.Since(timeOf(t, s.Since)) > time.Minute {
			t.Errorf("slot %d is %+v", i, s)
		}
	}
}

func TestUnbanTakesOneString(t *testing.T) {
	d := startDaemon(t)
	for _, params := range []string{`[]`, `[5]`, `[null]`, `{"host":"x"}`, `["x","y"]`, `[["x"]]`} {
		var failure *jsonrpc.Error
		if got, err := d.call(t, "p2p.unban", params); !errors.As(err, &failure) || failure.Code != jsonrpc.CodeInvalidParams {
			t.Errorf("%s: %s, %v", params, got, err)
		}
	}
	if got, err := d.call(t, "p2p.unban", `[""]`); got != `false` || err != nil {
		t.Errorf("no host: %s, %v", got, err)
	}
}
