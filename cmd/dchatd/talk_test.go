package main_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// comeBack is how long a daemon may take to be back with a peer that was killed and restarted.
const comeBack = 5 * time.Second

// Two daemons exchange texts both ways; each in turn is killed and restarted, and the other is
// back with it without a word from the user.
func TestTwoDaemonsTalk(t *testing.T) {
	for _, scheme := range []string{"tcp", "tcp+tls"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			bob := setup{accept: scheme + "://127.0.0.1:0"}.start(t)
			address := bob.addr().String()
			asBob := setup{home: bob.home, accept: address}
			asAlice := setup{home: newHome(t), args: []string{"--peers", address}}
			alice := asAlice.start(t)
			converse(t, alice, bob)

			bob.kill()
			alice.peers(0, comeBack)
			alice.refused(-32010, "send", "into the void")
			if got := ask[[]rpcEntry](alice, "chat.history"); got[len(got)-1].Text == "into the void" {
				t.Error("a text that went to nobody is in the history")
			}
			bob = asBob.start(t)
			since := time.Now()
			converse(t, alice, bob)
			t.Logf("back %v after the peer listened again", time.Since(since).Round(time.Millisecond))

			alice.kill()
			alice = asAlice.start(t)
			converse(t, alice, bob)
		})
	}
}

// converse sends texts both ways between a daemon and its configured peer.
func converse(t *testing.T, alice, bob *daemon) {
	t.Helper()
	atAlice, atBob := alice.peers(1, comeBack)[0], bob.peers(1, comeBack)[0]
	if atAlice.Session != "manual" || atAlice.URL != bob.addr().String() || atBob.Session != "inbound" {
		t.Errorf("alice has %+v, bob has %+v", atAlice, atBob)
	}
	before := ask[[]string](alice, "recv")
	odd := "ünï\u202e🦀\r\n\x00\x1b[31m" + time.Now().String()
	long := strings.Repeat("é", 32<<10) // 64 KiB
	if !ask[bool](alice, "send", odd) || !ask[bool](alice, "send", long) {
		t.Error("send answered false")
	}
	eventually(t, patience, func() error { return lastTexts(bob, odd, long) })
	receipt := ask[rpcReceipt](bob, "chat.send", map[string]any{"text": "hello alice"})
	if receipt.Peers != 1 {
		t.Errorf("chat.send answered %+v", receipt)
	}
	alice.received(append(before, "hello alice")...)

	sent := ask[[]rpcEntry](bob, "chat.history", map[string]any{"after": receipt.Seq - 1})
	if len(sent) != 1 || sent[0].Direction != "out" || sent[0].Text != "hello alice" || sent[0].Addr != "" {
		t.Errorf("bob's history has %+v", sent)
	}
	got := ask[[]rpcEntry](alice, "chat.history")
	last := got[len(got)-1]
	if last.Direction != "in" || last.Text != "hello alice" || last.Addr != atAlice.URL || time.Since(last.Time).Abs() > time.Minute {
		t.Errorf("alice's history ends with %+v", last)
	}
}

// lastTexts tells whether these are what a daemon received last.
func lastTexts(d *daemon, want ...string) error {
	got := ask[[]string](d, "recv")
	if len(got) < len(want) || !slices.Equal(got[len(got)-len(want):], want) {
		return fmt.Errorf("%d texts, the last are not the ones expected", len(got))
	}
	return nil
}
