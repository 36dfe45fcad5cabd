package main_test

import (
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dchat/chat"
	"dchat/cmd/internal/proc"
	"dchat/p2p/p2ptest"
	"dchat/p2p/wire"
)

// Ten peers send and read all the time while a client sends too. At SIGTERM every peer's stream ends
// between two frames: one that is cut inside a frame would ban the daemon's host.
func TestStopUnderLoad(t *testing.T) {
	for name, rounds := range map[string]int{"tcp": 3, "tcp+tls": 1, "quic": 2, "unix": 1} {
		t.Run(name, func(t *testing.T) {
			for range rounds {
				home := proc.NewHome(t)
				stopUnderLoad(t, setup{home: home, accept: ways[name].at(home), args: []string{"--inbound-slots", "10"}}.start(t))
			}
		})
	}
}

func stopUnderLoad(t *testing.T, d *daemon) {
	t.Helper()
	limit := 2 * time.Second
	if proc.Race {
		limit *= 2 // what is measured then is the detector
	}
	var senders sync.WaitGroup
	var peers []*p2ptest.Recording
	for range 10 {
		p := connect(t, d)
		r := p.Record()
		peers = append(peers, r)
		senders.Go(func() { babble(p, r) })
	}
	client := dialRPC(t, d.RPC)
	senders.Go(func() {
		_, _ = io.Copy(io.Discard, client.in)
		_ = client.conn.Close()
	})
	senders.Go(func() {
		for {
			if _, err := io.WriteString(client.conn, request(1, "send", `["`+babbled()+`"]`)); err != nil {
				return // the daemon has ended
			}
		}
	})
	for _, r := range peers { // the load is on when everybody gets what others send
		awaitTexts(t, r, 10)
	}

	begun := time.Now()
	d.Signal(syscall.SIGTERM)
	if code := d.Exit(); code != 0 {
		t.Errorf("status %d", code)
	}
	took := time.Since(begun)
	t.Logf("gone after %v", took.Round(time.Millisecond))
	if took > limit {
		t.Errorf("gone after %v, more than %v", took, limit)
	}
	senders.Wait()
	for i, r := range peers {
		<-r.Done()
		if _, clean, _ := r.Ended(); !clean {
			t.Errorf("the stream to peer %d ended inside a frame, after %d", i, len(r.Messages()))
		}
	}
}

// babble sends texts, cut anywhere into writes, until the daemon closes the connection.
func babble(p *p2ptest.Peer, r *p2ptest.Recording) {
	defer p.Close(false)
	var rest []byte
	for {
		select {
		case <-r.Done():
			return
		default:
		}
		frame, err := wire.AppendFrame(rest, p.Magic, chat.Message{Text: babbled()})
		if err != nil {
			return
		}
		n := rand.N(len(frame)) + 1
		if p.TryWrite(frame[:n]) != nil {
			<-r.Done() // what it was sent is still read
			return
		}
		rest = append([]byte(nil), frame[n:]...)
	}
}

// babbled is a text of up to 16 KiB.
func babbled() string { return strings.Repeat("x", rand.N(16<<10)+1) }
