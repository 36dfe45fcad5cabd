package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"dchat/chat"
	"dchat/chat/jsonrpc"
	"dchat/p2p"
	"dchat/p2p/addr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// daemon is a node with a chat and its methods, served to a client.
type daemon struct {
	chat   *chat.Dchat
	client *jsonrpc.Client
}

func startDaemon(t *testing.T, peers ...addr.Addr) *daemon {
	t.Helper()
	return startDaemonWith(t, chat.DefaultSettings(), peers...)
}

func startDaemonWith(t *testing.T, history chat.Settings, peers ...addr.Addr) *daemon {
	t.Helper()
	settings := p2p.DefaultSettings()
	settings.Inbound, settings.Peers = []addr.Addr{addr.MustParse("tcp://127.0.0.1:0")}, peers
	node, err := p2p.New(settings)
	must(t, err)
	d, err := chat.Join(node, history)
	must(t, err)
	methods := NodeMethods(node)
	for name, handler := range ChatMethods(d) {
		methods[name] = handler
	}
	server, err := jsonrpc.New(jsonrpc.Config{Listen: addr.MustParse("tcp://127.0.0.1:0"), Log: zaptest.NewLogger(t)}, methods)
	must(t, err)
	must(t, node.Start(t.Context()))
	must(t, server.Start(t.Context()))
	client, err := jsonrpc.Dial(t.Context(), server.Addr())
	must(t, err)
	t.Cleanup(func() {
		must(t, client.Close())
		must(t, server.Stop(context.Background()))
		must(t, node.Stop(context.Background()))
	})
	return &daemon{d, client}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pair returns two daemons that are connected; the second one dialled.
func pair(t *testing.T) (a, b *daemon) {
	a = startDaemon(t)
	b = startDaemon(t, a.chat.P2p().Addrs()...)
	for _, d := range []*daemon{a, b} {
		eventually(t, func() bool { return len(d.chat.P2p().Channels()) == 1 })
	}
	return a, b
}

// eventually waits until something that other goroutines bring about is so.
func eventually(t *testing.T, so func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(20 * time.Second); !so(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it does not come about")
		}
	}
}

// call returns the result as JSON, or the error.
func (d *daemon) call(t *testing.T, method, params string) (string, error) {
	t.Helper()
	var result json.RawMessage
	err := d.client.Call(t.Context(), method, json.RawMessage(params), &result)
	return string(result), err
}

func TestSendAnswersTrueOnlyWhenSomebodyGetsTheText(t *testing.T) {
	lonely := startDaemon(t)
	for method, params := range map[string]string{"send": `["x"]`, "chat.send": `{"text":"x"}`} {
		var failure *jsonrpc.Error
		if _, err := lonely.call(t, method, params); !errors.As(err, &failure) || failure.Code != -32010 || failure.Message != "no peers connected" {
			t.Errorf("%s to nobody: %v", method, err)
		}
	}
	a, b := pair(t)
	for i, c := range []struct{ method, params, want string }{
		{"send", `["one"]`, `true`},
		{"send", `["two", 3, {}]`, `true`},
		{"chat.send", `["three"]`, `{"seq":3,"peers":1}`},
		{"chat.send", `{"text":"four"}`, `{"seq":4,"peers":1}`},
	} {
		if got, err := a.call(t, c.method, c.params); got != c.want || err != nil {
			t.Errorf("call %d: %s, %v, want %s", i, got, err, c.want)
		}
	}
	eventually(t, func() bool {
		got, err := b.call(t, "recv", `[]`)
		must(t, err)
		return got == `["one","two","three","four"]`
	})
}

func TestParamsOfAnyWrongShapeAreInvalid(t *testing.T) {
	a, _ := pair(t)
	wrong := []string{`[]`, `[5]`, `[null]`, `[true]`, `[[]]`, `[{}]`, `{"a":1}`, `[["x"]]`, `[""]`}
	cases := map[string][]string{
		"send":                  append(wrong, `{}`),
		"chat.send":             append(wrong, `{}`, `{"text":""}`, `{"text":5}`, `{"text":"x","more":1}`, `["x","y"]`),
		"dnet.switch":           {`[]`, `{}`, `{"on":true}`, `["true"]`, `[1]`, `[null]`, `[true,false]`},
		"dnet.subscribe_events": {`{"a":1}`, `[1]`},
		"chat.history": {`[1]`, `{"after":-1}`, `{"after":"x"}`, `{"limit":1.5}`, `{"limit":4294967296}`, `{"since":1}`,
			`{"last":-1}`, `{"last":"x"}`, `{"last":3,"limit":1}`, `{"last":3,"after":1}`},
		"chat.subscribe": {`[1]`, `{"after":-1}`, `{"from":1}`},
	}
	for method, params := range cases {
		for _, p := range params {
			var failure *jsonrpc.Error
			if got, err := a.call(t, method, p); !errors.As(err, &failure) || failure.Code != jsonrpc.CodeInvalidParams {
				t.Errorf("%s %s: %s, %v", method, p, got, err)
			}
		}
	}
	long, err := json.Marshal([]string{strings.Repeat("x", chat.MaxSend+1)})
	must(t, err)
	if _, err := a.call(t, "send", string(long)); err == nil || !strings.Contains(err.Error(), "65537 bytes, at most 65536") {
		t.Errorf("a text that is too long: %v", err)
	}
}

func TestHistoryIsPagedAndFollowed(t *testing.T) {
	a, b := pair(t)
	for i := range 5 {
		_, err := a.call(t, "send", fmt.Sprintf(`["text %d"]`, i+1))
		must(t, err)
	}
	for params, want := range map[string]string{
		`[]`:                             "1 2 3 4 5",
		`{"after":1,"limit":2}`:          "2 3",
		`{"after":3}`:                    "4 5",
		`{"after":5}`:                    "",
		`{"after":10000000000000000000}`: "",
		`{"limit":9}`:                    "1 2 3 4 5",
		`{"last":0}`:                     "",
		`{"last":2}`:                     "4 5",
		`{"last":6}`:                     "1 2 3 4 5",
		`{"last":10000000000000000000}`:  "1 2 3 4 5",
	} {
		var page []Entry
		must(t, a.client.Call(t.Context(), "chat.history", json.RawMessage(params), &page))
		var got []string
		for _, e := range page {
			got = append(got, strings.TrimPrefix(e.Text, "text "))
			if fmt.Sprint("text ", e.Seq) != e.Text || e.Run != a.chat.History().Run() || e.Direction != "out" || e.Addr != "" || time.Since(e.Time) > time.Minute {
				t.Errorf("entry is %+v", e)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %v, want %s", params, got, want)
		}
	}
	sub, err := b.client.Subscribe(t.Context(), "chat.subscribe", json.RawMessage(`{"after":3}`))
	must(t, err)
	defer func() { _ = sub.Close() }()
	for want := uint64(4); want <= 6; want++ {
		if want == 6 {
			_, err := a.call(t, "send", `["the last"]`)
			must(t, err)
		}
		raw, err := sub.Next(t.Context())
		must(t, err)
		var params []Entry
		must(t, json.Unmarshal(raw, &params))
		if e := params[0]; e.Run != b.chat.History().Run() || e.Seq != want || e.Direction != "in" || !strings.HasPrefix(e.Addr, "tcp://127.0.0.1:") || e.Missed != 0 {
			t.Errorf("entry is %+v, want number %d", e, want)
		}
	}
	if a.chat.History().Run() == b.chat.History().Run() {
		t.Error("two histories have one name")
	}
}

// A reply that takes long holds no texts: those that the history drops meanwhile are left out. Those
// that come meanwhile are not in it either.
func TestWhatIsBeingReadIsNotHeld(t *testing.T) {
	a := startDaemonWith(t, chat.Settings{HistoryMessages: 3, HistoryBytes: 2 << 20})
	b := startDaemon(t, a.chat.P2p().Addrs()...)
	eventually(t, func() bool { return len(a.chat.P2p().Channels()) == 1 && len(b.chat.P2p().Channels()) == 1 })
	receive := func(texts ...string) {
		want := a.chat.History().Newest() + uint64(len(texts))
		for _, text := range texts {
			_, err := b.chat.Send(t.Context(), text)
			must(t, err)
		}
		eventually(t, func() bool { return a.chat.History().Newest() == want })
	}
	receive("1", "2", "3")
	result, err := ChatMethods(a.chat)["recv"](t.Context(), nil)
	must(t, err)
	var read []any
	for text := range result.(jsonrpc.List) {
		if read = append(read, text); text == "1" {
			receive("4", "5")
		}
	}
	if !slices.Equal(read, []any{"1", "3"}) {
		t.Errorf("read %v, want 1 and 3: 2 is gone when its turn comes", read)
	}
}

func TestInfoAndPeersSayWhoIsConnected(t *testing.T) {
	a, b := pair(t)
	var info Info
	must(t, b.client.Call(t.Context(), "p2p.get_info", []int{}, &info))
	ch := b.chat.P2p().Channels()[0]
	want := ChannelInfo{URL: ch.Addr().String(), Session: "manual", ID: ch.ID()}
	if !slices.Equal(info.Channels, []ChannelInfo{want}) || info.OutboundSlots == nil {
		t.Errorf("info is %+v, want %+v", info, want)
	}
	var peers []Peer
	must(t, a.client.Call(t.Context(), "p2p.peers", []int{}, &peers))
	if len(peers) != 1 || peers[0].Session != "inbound" || peers[0].Version != "dchatd 0.4.1" || peers[0].BytesIn == 0 || peers[0].MessagesOut == 0 {
		t.Errorf("peers are %+v", peers)
	}
}

func TestEventsHaveTheFormThatToolsKnow(t *testing.T) {
	a := startDaemon(t)
	if got, err := a.call(t, "dnet.switch", `[true]`); got != "true" || err != nil {
		t.Fatalf("dnet.switch: %s, %v", got, err)
	}
	events, err := a.client.Subscribe(t.Context(), "dnet.subscribe_events", []int{})
	must(t, err)
	defer func() { _ = events.Close() }()
	b := startDaemon(t, a.chat.P2p().Addrs()...)
	eventually(t, func() bool { return len(a.chat.P2p().Channels()) == 1 })
	must(t, b.chat.P2p().Stop(t.Context()))

	seen := map[string]map[string]any{}
	for seen["inbound_disconnected"] == nil {
		raw, err := events.Next(t.Context())
		must(t, err)
		var params []struct {
			Event string
			Info  map[string]any
		}
		must(t, json.Unmarshal(raw, &params))
		seen[params[0].Event] = params[0].Info
	}
	for event, keys := range map[string][]string{
		"send": {"chan", "cmd", "time"}, "recv": {"chan", "cmd", "time"},
		"inbound_connected": {"addr", "channel_id"}, "inbound_disconnected": {"addr", "channel_id"},
	} {
		var got []string
		for key := range seen[event] {
			got = append(got, key)
		}
		if slices.Sort(got); !slices.Equal(got, keys) {
			t.Errorf("%s has %q, want %q", event, got, keys)
		}
	}
	if _, isText := seen["send"]["time"].(string); !isText {
		t.Errorf("the time of an event is %v, want nanoseconds in a string", seen["send"]["time"])
	}
}
