package client

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"dchat/chat/rpc"
)

// ago is the time that was so long ago, as the daemon says it; behind half a second, so
// that it is as many whole seconds for a while.
func ago(d time.Duration) string {
	return time.Now().Add(-d - 500*time.Millisecond).Format(time.RFC3339Nano)
}

// wantLines checks the lines of a text, with any amount of space between words.
func wantLines(t *testing.T, text string, want ...string) {
	t.Helper()
	got := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range got {
		got[i] = strings.Join(strings.Fields(line), " ")
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestBansAreShown(t *testing.T) {
	d := startDaemon(t)
	runWith(t, nil, "", "bans", "-e", d.endpoint()).want(t, exitDone, "nobody is banned\n", "")
	runWith(t, nil, "", "bans", "--json", "-e", d.endpoint()).want(t, exitDone, "", "")

	d.bans = []rpc.Ban{
		{Host: "203.0.113.9", Reason: "flooding\x1b[2J", Since: ago(time.Minute), Until: ago(-time.Hour - 2*time.Second), Offences: 2},
		{Host: "2001:db8::/64", Reason: "wrong magic", Since: ago(0), Until: "for ever", Offences: 1},
	}
	wantLines(t, runWith(t, nil, "", "bans", "-e", d.endpoint()).stdout,
		"HOST SINCE LEFT OFFENCES REASON",
		`203.0.113.9 1m0s 1h0m1s 2 flooding\u001b[2J`,
		"2001:db8::/64 0s ? 1 wrong magic")
	r := runWith(t, nil, "", "bans", "--json", "-e", d.endpoint())
	var b rpc.Ban
	decodeLine(t, strings.Split(r.stdout, "\n")[0], &b)
	if b != d.bans[0] || strings.Contains(r.stdout, "\x1b") || strings.Count(r.stdout, "\n") != 2 {
		t.Errorf("got %q", r.stdout)
	}
}

func TestBansAreLifted(t *testing.T) {
	d := startDaemon(t)
	d.bans = []rpc.Ban{{Host: "203.0.113.9"}, {Host: "203.0.113.10"}}
	runWith(t, nil, "", "bans", "lift", "203.0.113.9", "-e", d.endpoint()).want(t, exitDone, "lifted: 203.0.113.9\n", "")
	r := runWith(t, nil, "", "bans", "lift", "-e", d.endpoint(), "203.0.113.9", "203.0.113.10", "\x1bhost")
	r.want(t, exitFailed, "lifted: 203.0.113.10\n", "dchat: not banned: 203.0.113.9, \\u001bhost; `dchat bans` shows who is\n")
	if len(d.bans) != 0 {
		t.Errorf("left: %v", d.bans)
	}
}

func TestPeersShowsWhatTheFreeSlotsAreDoing(t *testing.T) {
	d := startDaemon(t)
	d.peers = []rpc.Peer{}
	sleeping := rpc.Slot{State: "sleeping", Since: ago(time.Minute)}
	for i, s := range []rpc.Slot{
		{State: "connected", Since: ago(0), Addr: "tcp://203.0.113.9:1/", Channel: 5},
		sleeping, sleeping, sleeping,
		{State: "waiting", Since: ago(2 * time.Second), Error: "connection refused\x1b[2J"},
		{State: "connecting", Since: ago(3 * time.Second), Addr: "tcp+tls://203.0.113.7:1/"},
		{State: "connecting", Since: ago(3 * time.Second), Addr: "tcp+tls://203.0.113.8:1/", Error: "timed out"},
		sleeping,
		{State: "connected", Since: ago(0), Addr: "tcp://203.0.113.10:1/", Channel: 6},
		{State: "yawning", Since: ago(time.Second)},
	} {
		s.Slot = i
		d.slots = append(d.slots, s)
	}
	wantLines(t, runWith(t, nil, "", "peers", "-e", d.endpoint()).stdout,
		"nobody is connected",
		"",
		"2 of 10 outbound slots connected; the others:",
		"slots 1-3, 7 for 1m0s without an address to try: the search for peers goes on",
		`slot 4 for 2s waiting to try again; the last attempt failed: connection refused\u001b[2J`,
		"slot 5 for 3s connecting to tcp+tls://203.0.113.7:1",
		"slot 6 for 3s connecting to tcp+tls://203.0.113.8:1; the last attempt failed: timed out",
		"slot 9 yawning for 1s")

	d.peers = []rpc.Peer{{Addr: "tcp://203.0.113.9:1/", Session: "outbound"}}
	lines := strings.Split(runWith(t, nil, "", "peers", "--json", "-e", d.endpoint()).stdout, "\n")
	if len(lines) != 1+10+1 || strings.Contains(lines[0], `"slot"`) {
		t.Fatalf("got %q", lines)
	}
	for i, want := range d.slots {
		var s rpc.Slot
		if decodeLine(t, lines[1+i], &s); s != want || !regexp.MustCompile(`^\{"slot":`).MatchString(lines[1+i]) {
			t.Errorf("got %s, want %+v", lines[1+i], want)
		}
	}

	d.slots = d.slots[:1]
	if r := runWith(t, nil, "", "peers", "-e", d.endpoint()); strings.Contains(r.stdout, "slot") {
		t.Errorf("all slots are connected, and it says\n%s", r.stdout)
	}
}

func TestReloadSaysWhatHasChanged(t *testing.T) {
	d := startDaemon(t)
	for _, test := range []struct {
		result rpc.Reloaded
		err    error
		code   int
		stdout string
		stderr string
	}{
		{code: exitDone, stdout: "nothing has changed\n"},
		{result: rpc.Reloaded{Applied: []string{"net.peers", "log.level"}}, code: exitDone, stdout: "applied: net.peers, log.level\n"},
		{result: rpc.Reloaded{Applied: []string{"net.peers"}, Restart: []string{"net.inbound", "log.file"}}, code: exitDone,
			stdout: "applied: net.peers\nwaits for a restart of the daemon: net.inbound, log.file\n"},
		{err: errors.New("x.toml:1: net.peer: unknown key\nx.toml:2: \x1b[2J"), code: exitFailed,
			stderr: "dchat: nothing has changed: x.toml:1: net.peer: unknown key; x.toml:2: \\u001b[2J\n"},
	} {
		d.reload = func() (rpc.Reloaded, error) { return test.result, test.err }
		r := runWith(t, nil, "", "reload", "-e", d.endpoint())
		if r.code != test.code || r.stdout != test.stdout || r.stderr != test.stderr {
			t.Errorf("got %+v, want %+v", r, test)
		}
	}
}
