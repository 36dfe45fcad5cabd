package main_test

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"
)

// recorded is a request to a reference daemon, and what it answered.
type recorded struct {
	Case     string           `json:"case"`
	Disabled []string         `json:"disabled"`
	Sent     string           `json:"sent"`
	Received []map[string]any `json:"received"`
}

// better is what this daemon answers where the reference says something that is not true, or says
// nothing and is broken from then on.
func better(c string, peers int) (answer string, ok bool) {
	invalid := `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"invalid params"}}`
	nobody := `{"jsonrpc":"2.0","id":1,"error":{"code":-32010,"message":"no peers connected"}}`
	switch c {
	case "recv", "recv, params ignored", "recv without params", "another method": // there is no empty text to begin with
		return `{"jsonrpc":"2.0","id":1,"result":[]}`, true
	case "send", "send, more params ignored", "send, escapes":
		return nobody, peers == 0
	case "send, empty text",
		"send without params", "send, params missing", "send, a number", "send, null", "send, params an object",
		"dnet.switch, params an object", "dnet.subscribe_events, params an object":
		return invalid, true
	case "send, lone surrogate":
		return `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error"}}`, true
	}
	return "", false
}

// Every recorded request that concerns a method: the same answer as JSON, or a better one; alone,
// and with a peer.
func TestRecordedMethods(t *testing.T) {
	text, err := os.ReadFile("testdata/methods.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, peers := range map[string]int{"alone": 0, "with a peer": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var all []recorded // replay changes it
			if err := json.Unmarshal(text, &all); err != nil {
				t.Fatal(err)
			}
			args := []string{"--outbound-slots", "0"} // as when it was recorded
			usual := setup{args: args}.start(t)
			disabled := setup{args: append(args, "--rpc-disabled-methods", "p2p.get_info,ping")}.start(t)
			if peers > 0 {
				connect(t, usual)
				connect(t, disabled)
			}
			for _, r := range all {
				d := usual
				if len(r.Disabled) > 0 {
					d = disabled
				}
				if r.Case == "p2p.get_info, no channels" && peers > 0 || r.Case == "p2p.get_info, params ignored" && peers > 0 {
					continue // recorded alone
				}
				t.Run(r.Case, func(t *testing.T) { replay(t, d, r, peers) })
			}
		})
	}
}

func replay(t *testing.T, d *daemon, r recorded, peers int) {
	want := r.Received
	if answer, ok := better(r.Case, peers); ok {
		want = make([]map[string]any, 1)
		if err := json.Unmarshal([]byte(answer), &want[0]); err != nil {
			t.Fatal(err)
		}
	}
	if r.Case == "three requests in one write" {
		want[1]["result"] = []any{}
	}
	c := dialRPC(t, d.RPC)
	c.write(r.Sent)
	got, closed := c.settled()
	for _, line := range got {
		if failure, ok := line["error"].(map[string]any); ok {
			delete(failure, "data") // the detail is ours alone
		}
	}
	if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("%s got %v, want %v", r.Sent, got, want)
	}
	if closed != (r.Case == "send, lone surrogate") {
		t.Errorf("the connection was closed: %v", closed)
	}
}
