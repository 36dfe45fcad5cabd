package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"dchat/cmd/internal/proc"
)

// comeBack is how long a daemon may take to be back with a peer that was killed and restarted: 5 s, and as
// much again for a machine that is busy with other tests.
const comeBack = 10 * time.Second

// Two daemons exchange texts both ways over everything that carries them; each in turn is killed and
// restarted, and the other is back with it without a word from the user. One that is asked to end
// does so between two frames.
func TestTwoDaemonsTalk(t *testing.T) {
	for name, w := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := w.start(t)
			p.converse(t)

			p.bob.Kill()
			p.alice.peers(0, proc.Patience)
			p.alice.refused(-32010, "send", "into the void")
			if got := ask[[]rpcEntry](p.alice, "chat.history"); got[len(got)-1].Text == "into the void" {
				t.Error("a text that went to nobody is in the history")
			}
			p.bob = p.asBob.start(t)
			since := time.Now()
			p.converse(t)
			t.Logf("back %v after the peer listened again", time.Since(since).Round(time.Millisecond))

			if !w.ipv6() { // which makes no difference to who dials
				p.alice.Kill()
				p.bob.peers(0, proc.Patience) // over QUIC only a heartbeat tells
				p.alice = p.asAlice.launch(t)
				p.converse(t)
			}
			leaves(t, p.bob, p.alice)
			p.bob = p.asBob.start(t)
			p.converse(t)
			p.wantNoSecrets(t)
			leaves(t, p.alice, p.bob)
		})
	}
}

// leaves stops a daemon while it has much to say, and checks that the stream to its peer ends between
// two frames.
func leaves(t *testing.T, d, peer *daemon) {
	t.Helper()
	before := len(peer.Stderr())
	for range 8 {
		_ = d.Call(new(bool), "send", strings.Repeat("y", 64<<10)) // where the queue is full there is much to say
	}
	d.Stop()
	var end string
	proc.Eventually(t, proc.Patience, func() error {
		end = regexp.MustCompile(`(?m)(Disconnected|Connection closed).*$`).FindString(peer.Stderr()[before:])
		if end == "" {
			return errors.New("nothing has ended")
		}
		return nil
	})
	if !strings.Contains(end, "disconnected by the peer") {
		t.Errorf("the peer of one that was asked to end logged %s", end)
	}
	for _, d := range []*daemon{d, peer} {
		if log := d.Stderr(); strings.Contains(log, "broke the protocol") || strings.Contains(log, "banned") {
			t.Errorf("logged of a fault:\n%s", d.LogTail())
		}
	}
}

// converse sends texts both ways between a daemon and its configured peer.
func (p *pair) converse(t *testing.T) {
	t.Helper()
	alice, bob := p.alice, p.bob
	atAlice, atBob := alice.peers(1, comeBack)[0], bob.peers(1, proc.Patience)[0]
	if atAlice.Session != "manual" || atAlice.URL != p.called || atBob.Session != "inbound" {
		t.Errorf("alice has %+v, bob has %+v", atAlice, atBob)
	}
	before := ask[[]string](alice, "recv")
	odd := "ünï\u202e🦀\r\n\x00\x1b[31m" + time.Now().String()
	long := strings.Repeat("é", 32<<10) // 64 KiB
	if !ask[bool](alice, "send", odd) || !ask[bool](alice, "send", long) {
		t.Error("send answered false")
	}
	proc.Eventually(t, proc.Patience, func() error { return lastTexts(bob, odd, long) })
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

// wantNoSecrets checks that no log and no answer has the password of the proxy.
func (p *pair) wantNoSecrets(t *testing.T) {
	t.Helper()
	for _, d := range []*daemon{p.alice, p.bob} {
		said := []string{d.Stderr()}
		for _, method := range []string{"p2p.get_info", "p2p.peers", "p2p.slots", "p2p.bans", "chat.history"} {
			said = append(said, string(ask[json.RawMessage](d, method)))
		}
		if all := strings.Join(said, "\n"); strings.Contains(all, secret) {
			t.Errorf("the password of the proxy is told:\n%s", all)
		}
	}
}
