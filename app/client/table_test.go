package client

import (
	"strings"
	"testing"

	"dchat/chat/rpc"
)

// An onion name, or the path of a socket, does not push the columns of all others to the
// right.
func TestLongAddressesLeaveTheColumnsWhereTheyAre(t *testing.T) {
	onion := "tor+tls://p53lf57qovyuvwsc6xnrppyply3vtqm7l6pcobkmyqsiofyeznfu5uqd.onion:51554"
	path := "unix:///" + strings.Repeat("directory/", 9) + "socket"
	d := startDaemon(t)
	d.peers = []rpc.Peer{
		{Addr: "tcp://203.0.113.9:2/", Session: "manual", Connected: "1", Version: "v1"},
		{Addr: onion + "/", Session: "outbound", Connected: "2", Version: "v2"},
		{Addr: path, Session: "inbound", Connected: "3", Version: "v3"},
		{Addr: "quic://203.0.113.9:2", Session: "direct", Connected: "4", Version: "v4"},
	}
	r := runWith(t, nil, "", "peers", "-e", d.endpoint())
	lines := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
	if len(lines) != 7 || lines[2] != onion || lines[4] != path {
		t.Fatalf("got\n%s", r.stdout)
	}
	column := strings.Index(lines[0], "SESSION")
	for i, session := range map[int]string{1: "manual", 3: "outbound", 5: "inbound", 6: "direct"} {
		if strings.Index(lines[i], session) != column || column > 40 {
			t.Errorf("line %d: %q, want %s below SESSION", i, lines[i], session)
		}
	}
	version := strings.Index(lines[0], "VERSION")
	for i, want := range map[int]string{1: "v1", 3: "v2", 5: "v3", 6: "v4"} {
		if lines[i][version:] != want {
			t.Errorf("line %d: %q, want %s below VERSION", i, lines[i], want)
		}
	}

	d.bans = []rpc.Ban{{Host: "p53lf57qovyuvwsc6xnrppyply3vtqm7l6pcobkmyqsiofyeznfu5uqd.onion", Reason: "flooding"}, {Host: "203.0.113.9", Reason: "noise"}}
	wantLines(t, runWith(t, nil, "", "bans", "-e", d.endpoint()).stdout,
		"HOST SINCE LEFT OFFENCES REASON", d.bans[0].Host, "? ? 0 flooding", "203.0.113.9 ? ? 0 noise")
}
