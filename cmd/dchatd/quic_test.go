package main_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dchat/cmd/internal/proc"
	"dchat/p2p/addr"
	"dchat/p2p/p2ptest"
	"dchat/p2p/transport"
)

// freeQUIC is an address on whose UDP port nobody listens.
func freeQUIC(t *testing.T) string {
	t.Helper()
	l, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return "quic://" + l.LocalAddr().String()
}

// Two daemons that both dial the other, each from the socket on which it listens, are one peer each to
// the other: every text comes once, and what connects them lasts.
func TestBothDialOverQUIC(t *testing.T) {
	t.Parallel()
	at, all := []string{freeQUIC(t), freeQUIC(t)}, []*daemon{}
	for i, own := range at {
		all = append(all, setup{accept: own, toml: config([]string{"quic"}, nil, ""), args: []string{"--peers", at[1-i]}}.launch(t))
	}
	for _, d := range all {
		d.Logged("Connected peer=quic")
	}
	<-time.After(2 * time.Second) // who lost a race would try again after 1 s
	before := []string{fmt.Sprint(all[0].peerIDs()), fmt.Sprint(all[1].peerIDs())}
	var texts []string
	for n := range 5 { // from before a heartbeat until after it
		text := fmt.Sprint("text ", n)
		texts = append(texts, text)
		for _, d := range all {
			if receipt := ask[rpcReceipt](d, "chat.send", text); receipt.Peers != 1 {
				t.Errorf("the text went to %d peers, want 1", receipt.Peers)
			}
		}
		<-time.After(800 * time.Millisecond)
	}
	for i, d := range all {
		d.received(texts...)
		if now := fmt.Sprint(d.peerIDs()); now != before[i] {
			t.Errorf("the connections did not last: they were %s, and now %s", before[i], now)
		}
		if log := d.Stderr(); strings.Contains(log, "Disconnected") || strings.Contains(log, "broke the protocol") {
			t.Errorf("logged of a fault:\n%s", d.LogTail())
		}
	}
}

// peerIDs are the numbers of the daemon's connections.
func (d *daemon) peerIDs() (ids []uint32) {
	d.T.Helper()
	for _, ch := range ask[rpcInfo](d, "p2p.get_info").Channels {
		ids = append(ids, ch.ID)
	}
	slices.Sort(ids)
	return ids
}

// 200 dial a daemon at once, and again until they are served, as more than the 64 that it takes time for
// are turned away. In the end all are served, and the daemon is none the worse for it: the next
// one is served within a second.
func TestManyDialOverQUIC(t *testing.T) {
	t.Parallel()
	many := 200
	if proc.Race {
		many = 60 // each handshake takes ten times as long
	}
	d := setup{
		accept: "quic://127.0.0.1:0", args: []string{"--inbound-slots", "250"},
		// Nobody answers the first ping while others are still dialling.
		toml: "[net]\nactive_profiles = [\"quic\"]\n[net.profiles.quic]\noutbound_connect_timeout = 120\n",
	}.start(t)
	at, set := d.addr(), transport.Default()
	ctx, cancel := context.WithTimeout(t.Context(), 2*proc.Patience)
	defer cancel()
	begun := time.Now()
	var dialling sync.WaitGroup
	var refused atomic.Int64
	for range many {
		dialling.Go(func() {
			for !serves(ctx, t, set, at) {
				refused.Add(1)
				if ctx.Err() != nil {
					t.Error("one was never served")
					return
				}
			}
		})
	}
	dialling.Wait()
	t.Logf("%d were served within %v; %d attempts were turned away", many, time.Since(begun).Round(time.Millisecond), refused.Load())
	d.peers(many, comeBack)
	took := quickest(func() { connect(t, d).Alive() })
	if took > time.Second && !proc.Race {
		t.Errorf("the next one was served after %v", took)
	}
	d.Stop()
}

// serves dials a daemon, and tells whether the handshake gets done. The connection is closed when the test ends.
func serves(ctx context.Context, t *testing.T, set transport.Set, at addr.Addr) bool {
	conn, err := set.Dial(ctx, at)
	if err != nil {
		return false
	}
	p := p2ptest.NewPeer(t, conn)
	p.Version.ConnectRecvAddr, p.Version.ResolveRecvAddr = at, at
	if p.TryWrite(append(p.Frame(&p.Version), p.Frame(&p.Verack)...)) != nil {
		return false
	}
	for { // the ping comes when the daemon counts it among its peers
		m, err := p.TryRead()
		if err != nil || m.Command == "ping" {
			return err == nil
		}
	}
}
