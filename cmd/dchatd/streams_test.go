package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"

	"dchat/chat"
)

// form replaces in a JSON value what differs from run to run by what kind of thing it is.
func form(value any) any {
	switch value := value.(type) {
	case map[string]any:
		formed := map[string]any{}
		for k, v := range value {
			formed[k] = form(v)
		}
		return formed
	case []any:
		formed := []any{}
		for _, v := range value {
			formed = append(formed, form(v))
		}
		return formed
	case float64:
		if value > 0 && value == float64(uint32(value)) {
			return "an id"
		}
	case string:
		switch {
		case regexp.MustCompile(`^tcp://127\.0\.0\.1:\d+/$`).MatchString(value):
			return "an address"
		case regexp.MustCompile(`^1[0-9]{18}$`).MatchString(value):
			return "a time"
		}
	}
	return value
}

// The events of an inbound connection, in the form in which a reference daemon told them.
func TestNetworkEvents(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/events.json")
	if err != nil {
		t.Fatal(err)
	}
	var forms []any
	if err := json.Unmarshal(text, &forms); err != nil {
		t.Fatal(err)
	}
	known := map[string]string{} // by event
	for _, f := range forms {
		name := f.(map[string]any)["params"].([]any)[0].(map[string]any)["event"].(string)
		known[name] = fmt.Sprint(form(f))
	}

	d := setup{args: []string{"--outbound-slots", "0"}}.start(t)
	c := dialRPC(t, d.RPC)
	c.write(request(1, "dnet.subscribe_events", "[]"))
	if got, closed := c.settled(); len(got) != 0 || closed {
		t.Fatalf("subscribing was answered: %v", got)
	}
	c.write(request(2, "dnet.switch", "[true]"))
	if got := c.line(); got["id"] != float64(2) || got["result"] != true {
		t.Fatalf("dnet.switch answered %v", got)
	}

	peer := connect(t, d)
	peer.Send(&chat.Message{Text: "hello"})
	d.received("hello")
	ask[bool](d, "send", "goodbye")
	peer.Close(false)

	var told []string
	for !slices.Contains(told, "inbound_disconnected") {
		line := c.line()
		event := line["params"].([]any)[0].(map[string]any)
		name, info := event["event"].(string), event["info"].(map[string]any)
		what := name
		if cmd, ok := info["cmd"].(string); ok {
			what, info["cmd"] = name+" "+cmd, "version" // as in the recorded one
		}
		if got := fmt.Sprint(form(line)); got != known[name] {
			t.Errorf("%s is told as\n%s, want\n%s", what, got, known[name])
		}
		told = append(told, what)
	}
	inOrder(t, told, "inbound_connected", "recv version", "recv verack", "recv DchatMsg", "send DchatMsg", "inbound_disconnected")
	inOrder(t, told, "inbound_connected", "send version", "send verack", "send ping", "recv pong")

	c.write(request(3, "dnet.switch", "[false]"))
	if got := c.line(); got["id"] != float64(3) {
		t.Fatalf("dnet.switch answered %v", got)
	}
	connect(t, d).Alive()
	if got, _ := c.settled(); len(got) != 0 {
		t.Errorf("switched off, it says %v", got)
	}
}

// inOrder checks that these are among what was told, in this order.
func inOrder(t *testing.T, told []string, want ...string) {
	t.Helper()
	at := 0
	for _, w := range want {
		i := slices.Index(told[at:], w)
		if i < 0 {
			t.Fatalf("told %v, where %q is missing or out of order", told, w)
		}
		at += i + 1
	}
}

// A subscription to the chat is told every text, sent and received, as it comes; one that names
// where to begin, also what is before.
func TestChatSubscription(t *testing.T) {
	t.Parallel()
	d := setup{}.start(t)
	peer := connect(t, d)
	ask[rpcReceipt](d, "chat.send", "before")
	live, all := dialRPC(t, d.RPC), dialRPC(t, d.RPC)
	live.write(request(1, "chat.subscribe", "[]"))
	all.write(request(1, "chat.subscribe", `{"after":0}`))
	for _, c := range []*rawRPC{live, all} {
		if got := c.line(); got["result"] != true {
			t.Fatalf("chat.subscribe answered %v", got)
		}
	}
	peer.Send(&chat.Message{Text: "question"})
	d.received("question")
	ask[rpcReceipt](d, "chat.send", "answer")

	want := []rpcEntry{{Seq: 1, Direction: "out", Text: "before"}, {Seq: 2, Direction: "in", Text: "question"}, {Seq: 3, Direction: "out", Text: "answer"}}
	for _, w := range want {
		streamed(t, all, w)
	}
	for _, w := range want[1:] {
		streamed(t, live, w)
	}
	live.write(request(2, "ping", "[]")) // a connection that is subscribed still answers
	if got := live.line(); got["result"] != "pong" {
		t.Errorf("ping was answered %v", got)
	}
}

// streamed checks the next notification.
func streamed(t *testing.T, c *rawRPC, want rpcEntry) {
	t.Helper()
	line := c.line()
	text, _ := json.Marshal(line["params"])
	var got []rpcEntry
	if err := json.Unmarshal(text, &got); err != nil || len(got) != 1 || line["method"] != "chat.subscribe" || line["id"] != nil {
		t.Fatalf("the notification is %v", line)
	}
	if e := got[0]; e.Seq != want.Seq || e.Direction != want.Direction || e.Text != want.Text || e.Missed != 0 || (e.Addr == "") != (want.Direction == "out") {
		t.Errorf("got %+v, want %+v", e, want)
	}
}
