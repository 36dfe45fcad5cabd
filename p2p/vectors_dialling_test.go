package p2p_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/p2ptest"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// dialledPeers is what the other end of a connection that our node made does, by row.
var dialledPeers = map[string]struct {
	greets bool // and answers a ping
	silent bool // but not to pings
	sent   []string
	closes bool // without having read anything
}{
	"good peer":                                                     {greets: true},
	"wrong magic in place of version":                               {sent: []string{"deadbeef0776657273696f6e00"}},
	"wrong magic after the handshake":                               {greets: true, sent: []string{"deadbeef0470696e67020100"}},
	"unknown command before the handshake ends":                     {sent: []string{"d9efb67d0568656c6c6f00"}},
	"unknown command before the handshake ends, then the handshake": {sent: []string{"d9efb67d0568656c6c6f00", "version", "verack"}},
	"unknown command after the handshake":                           {greets: true, sent: []string{"d9efb67d0568656c6c6f00"}},
	"ping over the limit before the handshake ends":                 {sent: []string{"d9efb67d0470696e6703010203"}},
	"ping over the limit after the handshake":                       {greets: true, sent: []string{"d9efb67d0470696e6703010203"}},
	"verack with other app name":                                    {sent: []string{"version", "verack, app name other"}},
	"verack with other minor version":                               {sent: []string{"version", "verack, minor version other"}},
	"verack with other patch version":                               {sent: []string{"version", "verack, patch version other", "pong"}},
	"closes at once":                                                {closes: true},
	"closes at once, next attempts":                                 {closes: true},
	"closes after the handshake":                                    {greets: true, sent: []string{"end of stream"}},
	"closes after the handshake, next attempts":                     {greets: true, sent: []string{"end of stream"}},
	"end of stream in a payload":                                    {greets: true, sent: []string{"d9efb67d0470696e670201", "end of stream"}},
	"wrong nonce in pong":                                           {greets: true, silent: true, sent: []string{"pong with the nonce of the ping plus 1"}},
	"no pong":                                                       {greets: true, silent: true},
	"addr with a bad URL":                                           {greets: true, sent: []string{"d9efb67d04616464720d01036e6f740000000000000000"}},
	"silent":                                                        {},
	"version but no verack":                                         {sent: []string{"version"}},
	"answers with one address":                                      {greets: true, sent: []string{oneAddress}},
	"answers with no address":                                       {greets: true, sent: []string{"d9efb67d04616464720100"}},
	"answers before it is asked, during the handshake":              {sent: []string{"version", oneAddress, "verack"}},
	"pongs but never sends addr":                                    {greets: true},
}

// oneAddress is an addr with tcp://127.0.0.1:64004/.
const oneAddress = "d9efb67d04616464722001167463703a2f2f3132372e302e302e313a36343030342f1ad0036b00000000"

// playDialled is the part of the peer on one connection.
func playDialled(t *testing.T, p *p2ptest.Peer, h handling) *p2ptest.Recording {
	t.Helper()
	does, ok := dialledPeers[h.Name]
	if !ok {
		t.Fatalf("nothing says what the peer does in %q", h.Name)
	}
	if does.closes {
		p.Close(false)
	}
	r := p.Record()
	if does.greets {
		p.Send(&p.Version, &p.Verack)
		synctest.Wait()
		if ping, ok := lastPing(r); ok && !does.silent {
			p.Send(&wire.Pong{Nonce: ping})
		}
	}
	for _, s := range does.sent {
		synctest.Wait()
		ping, _ := lastPing(r)
		say(t, p, []string{s}, ping)
	}
	return r
}

// betterDialling names its rows with their sessions.
var betterDialling = differences{
	{"a node of another network is left alone for ten minutes, and not banned",
		[]string{"outbound, wrong magic in place of version"}, putAside("grey (last_seen as before)")},
	{"likewise",
		[]string{"outbound, wrong magic after the handshake"}, putAside("grey (last_seen new)")},
	{"a node of another name or version is left alone for an hour, and not banned",
		[]string{"outbound, verack with other app name", "outbound, verack with other minor version"}, putAside("grey (last_seen as before)")},
	{"a stream that is cut is no offence, wherever it is cut",
		[]string{"outbound, end of stream in a payload"}, putAside("grey (last_seen new)")},
	{"a peer whose channels end at once is dialled again, but after a pause",
		[]string{"outbound, closes after the handshake", "outbound, wrong nonce in pong", "outbound, end of stream in a payload"},
		func(h *handling) { h.Connections = 2 }},
	{"peers are asked for addresses again after growing pauses",
		[]string{"outbound, no pong"}, func(h *handling) { h.Received = []string{"version", "verack", "getaddr", "ping", "getaddr"} }},
	{"a configured seed is never banned",
		[]string{"seed, unknown command after the handshake", "seed, end of stream in a payload"}, func(h *handling) { h.Banned = nil }},
	{"a seed that does not answer the question is left after the handshake timeout",
		[]string{"seed, pongs but never sends addr"}, func(h *handling) {
			h.Closed, h.AfterS, h.Received = "eof", 10, []string{"version", "verack", "getaddr", "ping"}
		}},
	{"a seed that answers too early is left, maybe before the question is on its way",
		[]string{"seed, answers before it is asked, during the handshake"}, func(h *handling) {
			h.optional = []string{wire.CommandGetAddr, wire.CommandPing}
		}},
	{"a message over its limit ends the connection",
		[]string{"refine, ping over the limit before the handshake ends"}, func(h *handling) { h.Closed, h.Hostlist = "eof", nil }},
}

// putAside makes a ban be none, but the address grey.
func putAside(hostlist string) func(*handling) {
	return func(h *handling) { h.Banned, h.Hostlist = nil, []string{hostlist} }
}

func TestFrameHandlingDialling(t *testing.T) {
	all := handlings(t)
	var rows []string
	for session, recorded := range map[string][]handling{"outbound": all.Outbound, "seed": all.Seed, "refine": all.Refine} {
		for _, h := range recorded {
			name := session + ", " + h.Name
			betterDialling.apply(&h, name)
			rows = append(rows, name)
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { handlesDialling(t, session, h) })
			})
		}
	}
	betterDialling.check(t, rows)
}

func handlesDialling(t *testing.T, session string, h handling) {
	set := memory()
	l := listen(t, set)
	settings, book := asking(l.Addr()), notebook{}
	switch session {
	case "outbound":
		settings, book = slots(2), newNotebook(t, "white", l.Addr())
	case "refine":
		settings, book = refining, newNotebook(t, "grey", l.Addr())
	}
	n := newNodeWith(t, set, []p2p.Option{p2p.WithRandom(utmost{})}, settings, book.keep, func(s *p2p.Settings) {
		if session == "outbound" {
			s.RefineryInterval = time.Hour // it would dial the same address
		}
	})
	n.start()
	p := p2ptest.Accept(t, l)
	start := time.Now()
	r := playDialled(t, p, h)
	if h.Closed == staysOpen {
		<-time.After(time.Second)
		synctest.Wait()
		if _, _, ended := r.Ended(); ended {
			t.Error("the node closed the connection")
		}
	} else {
		wantClosed(t, r, h, start)
	}
	wantReceived(t, r.Messages(), h)
	if got := 1 + nextConnections(t, l, h); got != h.Connections {
		t.Errorf("%d connections until a second after the end, want %d", got, h.Connections)
	}
	if len(h.Banned) > 0 {
		n.wantBans(l.Addr().String())
	} else {
		n.wantBans()
	}
	colour := n.colour(l.Addr())
	n.stop()
	want := strings.Join(h.Hostlist, "; ")
	switch {
	case session == "seed" && colour != "none":
		t.Errorf("the seed is %s, want it on no list", colour)
	case session != "seed" && book.says(t, l.Addr()) != want:
		t.Errorf("the host list says %q, want %q", book.says(t, l.Addr()), want)
	}
}

// nextConnections plays the peer of all connections that the node makes within a
// second, and a little, and returns how many there were. None comes at once.
func nextConnections(t *testing.T, l transport.Listener, h handling) (count int) {
	t.Helper()
	ended := time.Now()
	conns := make(chan transport.Conn, 100)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns <- conn
		}
	}()
	end := time.After(time.Second + slack)
	for {
		select {
		case conn := <-conns:
			count++
			if pause := time.Since(ended); pause < 200*time.Millisecond {
				t.Errorf("the next connection came after %v, want a pause", pause)
			}
			p := p2ptest.NewPeer(t, conn)
			p.Version.ConnectRecvAddr = conn.Peer()
			playDialled(t, p, h)
			synctest.Wait()
			ended = time.Now()
		case <-end:
			return count
		}
	}
}

func TestTheBlacklistAppliesToWhoConnectsAsRecorded(t *testing.T) {
	for _, row := range handlings(t).Blacklist {
		t.Run(fmt.Sprint(row.Entry), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := startNode(t, memory(), func(s *p2p.Settings) { s.Blacklist = []p2p.BlacklistEntry{row.Entry} })
				wantNewConnection(t, n.dial(), row.Accepted)
				n.wantBans()
			})
		})
	}
}
