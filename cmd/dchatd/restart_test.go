package main_test

import (
	"errors"
	"testing"
	"time"

	"dchat/cmd/internal/proc"
)

// A daemon that is killed and is back before anybody has noticed knows nothing of its connections over
// QUIC, and says so to the peer that uses one: it need not wait for a heartbeat, which comes every
// 30 s, to be answered. The text that told is lost, and so is none after it.
func TestAPeerOverQUICThatWasKilledIsBackAtOnce(t *testing.T) {
	t.Parallel()
	profile := "[net]\np2p_datastore = \"~/data\"\nactive_profiles = [\"quic\"]\n[net.profiles.quic]\n"
	p := &pair{called: freeQUIC(t)}
	p.asBob = setup{home: proc.NewHome(t), accept: p.called, toml: profile}
	p.asAlice = setup{home: proc.NewHome(t), accept: "nowhere", toml: profile, args: []string{"--peers", p.called}}
	p.bob = p.asBob.start(t)
	p.alice = p.asAlice.launch(t)
	p.converse(t)

	p.bob.Kill()
	p.bob = p.asBob.start(t)
	if !ask[bool](p.alice, "send", "who is there?") {
		t.Error("send answered false")
	}
	since := time.Now()
	proc.Eventually(t, comeBack, func() error {
		if len(p.bob.peerIDs()) == 0 {
			return errors.New("alice is not back")
		}
		return nil
	})
	t.Logf("back %v after the peer was asked", time.Since(since).Round(time.Millisecond))
	p.converse(t)
}
