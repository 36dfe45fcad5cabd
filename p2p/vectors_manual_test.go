package p2p_test

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/channel"
	"dchat/p2p/p2ptest"
	"dchat/p2p/wire"
)

// manualPeer is what the other end of a configured connection does, by row.
var manualPeer = map[string]struct {
	greets bool
	sent   []string
	closes bool // without having read anything
	ends   any  // why our channel ends: a wire.Kind, 0 for no offence; an error that is none; nil where it does not end
}{
	"good peer":                           {greets: true},
	"wrong magic in place of version":     {sent: []string{"deadbeef0776657273696f6e00"}, ends: wire.BadMagic},
	"unknown command after the handshake": {greets: true, sent: []string{"d9efb67d0568656c6c6f00"}, ends: wire.UnknownCommand},
	"verack with other app name":          {sent: []string{"version", "verack, app name other"}, ends: wire.Mismatch},
	"closes at once":                      {closes: true, ends: wire.Kind(0)},
	"closes after the handshake":          {greets: true, sent: []string{"end of stream"}, ends: channel.ErrDisconnected},
	// A cut stream is no offence to us, where it was recorded as one.
	"end of stream in a payload":                {greets: true, sent: []string{"d9efb67d0470696e670201", "end of stream"}, ends: io.ErrUnexpectedEOF},
	"closes after the handshake, next attempts": {greets: true, sent: []string{"end of stream"}, ends: channel.ErrDisconnected},
	"closes at once, next attempts":             {closes: true, ends: wire.Kind(0)},
}

func TestFrameHandlingManual(t *testing.T) {
	for _, h := range handlings(t).Manual {
		if _, ok := manualPeer[h.Name]; !ok {
			t.Errorf("nothing says what the peer does in %q", h.Name)
			continue
		}
		t.Run(h.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { handlesManual(t, h) })
		})
	}
}

func handlesManual(t *testing.T, h handling) {
	set := memory()
	l := listen(t, set)
	n := startNode(t, set, withPeers(l.Addr()))
	for i := range 1 + len(h.GapsS) {
		began := time.Now()
		p := p2ptest.Accept(t, l)
		// Recorded were the pauses of a stock node, always its connect timeout.
		if pause, most := time.Since(began), time.Second<<max(i-1, 0); i > 0 && pause > most {
			t.Errorf("attempt %d came %v after the end of the one before, want at most %v", i, pause, most)
		}
		r := playManual(t, p, h)
		ch := n.channel()
		switch want := manualPeer[h.Name].ends.(type) {
		case wire.Kind:
			wantOffence(t, ch, want)
		case error:
			wantReason(t, ch, want)
		default:
			synctest.Wait()
			if ch.Err() != nil || len(n.Channels()) != 1 {
				t.Errorf("the channel ended with %v, want it open and listed", ch.Err())
			}
		}
		synctest.Wait()
		if _, clean, ended := r.Ended(); !clean || ended != (h.Closed != staysOpen) {
			t.Errorf("closed: %v, between frames: %v; want %v", ended, clean, h.Closed)
		}
		wantReceived(t, r.Messages(), h)
	}
}

// playManual is the part of the peer on one connection.
func playManual(t *testing.T, p *p2ptest.Peer, h handling) *p2ptest.Recording {
	t.Helper()
	does := manualPeer[h.Name]
	if does.closes {
		p.Close(false)
	}
	r := p.Record()
	if does.greets {
		p.Send(&p.Version, &p.Verack)
		synctest.Wait()
		answerPing(t, p, r)
	}
	say(t, p, does.sent, 0)
	return r
}

// answerPing answers the last ping that was recorded.
func answerPing(t *testing.T, p *p2ptest.Peer, r *p2ptest.Recording) {
	t.Helper()
	nonce, ok := lastPing(r)
	if !ok {
		t.Fatal("the node sent no ping")
	}
	p.Send(&wire.Pong{Nonce: nonce})
}
