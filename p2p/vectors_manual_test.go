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

// manualEnds are why our channel to a configured peer ends, by row: a wire.Kind, 0 for no
// offence; an error that is none; nil where it does not end.
var manualEnds = map[string]any{
	"good peer":                                 nil,
	"wrong magic in place of version":           wire.BadMagic,
	"unknown command after the handshake":       wire.UnknownCommand,
	"verack with other app name":                wire.Mismatch,
	"closes at once":                            wire.Kind(0),
	"closes after the handshake":                channel.ErrDisconnected,
	"end of stream in a payload":                io.ErrUnexpectedEOF, // no offence to us, where it was recorded as one
	"closes after the handshake, next attempts": channel.ErrDisconnected,
	"closes at once, next attempts":             wire.Kind(0),
}

func TestFrameHandlingManual(t *testing.T) {
	for _, h := range handlings(t).Manual {
		if _, ok := manualEnds[h.Name]; !ok {
			t.Errorf("nothing says how the connection ends in %q", h.Name)
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
		r := playDialled(t, p, h)
		ch := n.channel()
		switch want := manualEnds[h.Name].(type) {
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
		n.wantBans() // a configured peer never is, whatever was recorded
	}
}
