package p2p_test

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/p2ptest"
	"dchat/p2p/wire"
)

// handling is what a stock node did with odd input, recorded.
type handling struct {
	Name     string
	Node     string // how the node was configured, where not as usual
	State    string // before or after the handshake
	Sent     []string
	Closed   string   // eof, reset or stays open
	AfterS   float64  `json:"after_s"`
	Received []string // commands
	Nonces   []uint16 `json:"pong_nonces"`
	Recv     []string // texts that the application received
	Banned   []string // our differences name hosts

	NewConnection string    `json:"new_connection"` // what another one from the same host met: accepted or dropped
	LaterPing     *bool     `json:"later_ping_answered"`
	GapsS         []float64 `json:"gaps_s"`                      // between attempts to connect
	Connections   int       `json:"connections_within_1s_after"` // the first one is counted
	Hostlist      []string  `json:"hostlist_after_stop"`         // of the address that was dialled

	optional []string // commands that may come or not
}

// recorded are all of them, by session.
type recorded struct {
	Inbound, Outbound, Manual, Seed, Refine []handling

	Blacklist []struct { // what became of a connection over tcp from 127.0.0.1
		Entry    p2p.BlacklistEntry
		Accepted bool
	}
}

func handlings(t *testing.T) (all recorded) {
	t.Helper()
	b, err := os.ReadFile("testdata/frame_handling.json")
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const staysOpen = "stays open"

// differences are where our node does something else than was recorded, and
// why. The function turns the record into what is expected.
type differences []struct {
	why    string
	rows   []string
	change func(*handling)
}

// apply changes a row that goes by any of these names.
func (d differences) apply(h *handling, names ...string) {
	for _, b := range d {
		if slices.ContainsFunc(b.rows, func(row string) bool { return slices.Contains(names, row) }) {
			b.change(h)
		}
	}
}

// check fails where a difference belongs to none of the rows, by their names.
func (d differences) check(t *testing.T, names []string) {
	t.Helper()
	for _, b := range d {
		for _, row := range b.rows {
			if !slices.Contains(names, row) {
				t.Errorf("the difference %q belongs to no row", row)
			}
		}
	}
}

var betterInbound = differences{
	{"left-over bytes make a message invalid: it is not handled, and no frame is read out of them",
		[]string{
			"getaddr with a byte left over, nothing after",
			"getaddr with a whole ping frame left over: the left-over bytes are read as the next frame",
			"DchatMsg with bytes left over, then a good ping",
		}, invalid},
	{"likewise; but each metered command waits in a queue of its own, so a good ping that comes right after may still be answered",
		[]string{"getaddr with a byte left over, then a good ping"}, func(h *handling) {
			invalid(h)
			h.optional = []string{wire.CommandPong}
		}},
	{"a payload length over our own limit is refused before anything is waited for or reserved",
		[]string{
			"DchatMsg, payload length 2^63, text length 5, text, then a good ping: the rest is not waited for",
			"DchatMsg, payload length 2^63, text length 2^62: cannot be reserved",
			"DchatMsg, payload length 2^63, text length 2^30, three bytes of it",
		}, invalid},
	{"a huge number of addresses asked for is capped",
		[]string{"getaddr max u32::MAX"}, func(h *handling) {
			h.Closed, h.Received, h.LaterPing, h.NewConnection = staysOpen, []string{"addr"}, new(true), accepted
		}},
	{"a stream that is cut is no offence, wherever it is cut",
		[]string{
			"end of stream before the payload length",
			"end of stream in the payload",
			"end of stream in a DchatMsg payload",
		}, func(h *handling) { h.Banned, h.NewConnection = nil, accepted }},
	{"the first offence of who connects from a host where an address has answered is excused",
		[]string{"unknown command, no payload, after the handshake, " + besideGold}, func(h *handling) { h.Banned = nil }},
	{"our version is on its way before anything is read, and is not lost by a reset",
		[]string{
			"wrong magic" + early,
			"an HTTP request" + early,
			"unknown command" + early,
			"ping over the limit" + early,
			"version that does not decode" + early,
		}, func(h *handling) { h.Received = []string{"version"} }},
}

const early = ", before the handshake"

const accepted, dropped = "accepted", "dropped" // new connections

// besideGold is a node that has been connected to another address of the peer's host.
const besideGold = "dchatd with a gold address of the same host"

// configurations are how the nodes of some rows differ from others.
var configurations = map[string]func(*p2p.Settings){
	"":                           func(*p2p.Settings) {},
	"lilith":                     asSeed,
	"dchatd, localnet = false":   func(s *p2p.Settings) { s.Localnet = false },
	"dchatd, ban_policy relaxed": func(s *p2p.Settings) { s.BanPolicy = p2p.BanRelaxed },
	besideGold:                   func(*p2p.Settings) {},
}

func invalid(h *handling) {
	h.Closed, h.Received, h.Nonces, h.Recv, h.LaterPing = "eof", nil, nil, nil, nil
	h.Banned, h.NewConnection = []string{"the peer"}, dropped
}

func TestFrameHandlingInbound(t *testing.T) {
	var rows []string
	for _, h := range handlings(t).Inbound {
		names := []string{h.Name, h.Name + ", " + h.State, h.Name + ", " + h.State + ", " + h.Node}
		betterInbound.apply(&h, names...)
		rows = append(rows, names...)
		t.Run(strings.Join([]string{h.Name, h.State, h.Node}, ", "), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { handlesInbound(t, h) })
		})
	}
	betterInbound.check(t, rows)
}

func handlesInbound(t *testing.T, h handling) {
	configure, ok := configurations[h.Node]
	if !ok {
		t.Fatalf("no idea what %q is", h.Node)
	}
	n := startNode(t, everyScheme(), configure)
	if h.Node == besideGold {
		if err := n.Hosts().Connected(addr.MustParse("tcp://127.0.0.1:9")); err != nil {
			t.Fatal(err)
		}
	}
	p := n.dial()
	after := h.State == "after the handshake"
	var ping wire.Ping
	if after {
		p.Handshake()
		p.Expect(&ping)
		if !slices.ContainsFunc(h.Sent, func(s string) bool { return strings.HasPrefix(s, "pong") }) {
			p.Send(&wire.Pong{Nonce: ping.Nonce})
		}
	}
	synctest.Wait()
	r := p.Record()
	synctest.Wait()
	before := len(r.Messages()) // what belongs to the handshake
	if !after {
		before = 0
	}
	start := time.Now()
	say(t, p, h.Sent, ping.Nonce)
	<-time.After(2 * time.Second)
	synctest.Wait()
	if h.Closed == staysOpen {
		wantOpen(t, p, r, h)
	} else {
		wantClosed(t, r, h, start)
	}
	wantReceived(t, r.Messages()[before:], h)
	if got := n.received(); !slices.Equal(got, h.Recv) {
		t.Errorf("the application received %q, want %q", got, h.Recv)
	}
	if got := len(n.Channels()); (got == 1) != (h.Closed == staysOpen) {
		t.Errorf("%d channels are listed, and the connection: %s", got, h.Closed)
	}
	if len(h.Banned) > 0 {
		n.wantBans("127.0.0.1")
	} else {
		n.wantBans()
	}
	wantNewConnection(t, n.dial(), h.NewConnection == accepted)
}

// say sends what a row names: bytes in hexadecimal, or words for them.
func say(t *testing.T, p *p2ptest.Peer, sent []string, ping uint16) {
	t.Helper()
	version := p.Version
	other := p.Version
	other.AppName = "other"
	newer := p.Version
	newer.AppVersion = wire.Semver{Major: 9, Minor: 9, Patch: 9}
	for _, s := range sent {
		switch s {
		case "version":
			_ = p.TryWrite(p.Frame(&version)) // the node may have closed after what came before
		case "verack":
			_ = p.TryWrite(p.Frame(&p.Verack)) // likewise
		case "pong":
			p.Send(&wire.Pong{Nonce: ping})
		case "verack, app name other":
			p.Verack.AppName = "other"
			p.Send(&p.Verack)
		case "verack, minor version other":
			p.Verack.AppVersion.Minor++
			p.Send(&p.Verack)
		case "verack, patch version other":
			p.Verack.AppVersion.Patch++
			p.Send(&p.Verack)
		case "version, app name other":
			p.Send(&other)
		case "version, 9.9.9":
			p.Send(&newer)
		case "pong with the nonce of the ping plus 1":
			p.Send(&wire.Pong{Nonce: ping + 1})
		case "pong with the right nonce, pong with the nonce plus 1":
			p.Send(&wire.Pong{Nonce: ping}, &wire.Pong{Nonce: ping + 1})
		case "end of stream":
			p.CloseWrite()
		default:
			digits, slowly := strings.CutSuffix(s, " one byte per write, 20 ms apart")
			b, err := hex.DecodeString(digits)
			if err != nil {
				t.Fatalf("no idea how to send %q", s)
			}
			if !slowly {
				_ = p.TryWrite(b) // likewise
				continue
			}
			for i := range b {
				p.Write(b[i : i+1])
				<-time.After(20 * time.Millisecond)
			}
		}
	}
}

// laterPing is the number of the ping that asks whether the node still answers.
const laterPing = 0xA11E

func wantOpen(t *testing.T, p *p2ptest.Peer, r *p2ptest.Recording, h handling) {
	t.Helper()
	if _, _, ended := r.Ended(); ended {
		t.Fatal("the node closed the connection")
	}
	if h.LaterPing == nil || !*h.LaterPing {
		t.Fatal("a row that stays open and is not to answer: name it as a difference")
	}
	p.Send(&wire.Ping{Nonce: laterPing})
	<-time.After(10 * time.Second) // five pings are metered
	for _, m := range r.Messages() {
		if m.Command == wire.CommandPong && binary.LittleEndian.Uint16(m.Payload) == laterPing {
			return
		}
	}
	t.Error("a later ping was not answered")
}

func wantClosed(t *testing.T, r *p2ptest.Recording, h handling, start time.Time) {
	t.Helper()
	after := time.Duration(h.AfterS * float64(time.Second))
	<-time.After(after)
	synctest.Wait()
	at, clean, ended := r.Ended()
	if took := at.Sub(start); !ended || !clean || took != after {
		t.Errorf("closed: %v, between frames: %v, after %v; want %v", ended, clean, took, after)
	}
}

// wantReceived compares commands, of which only the handshake has an order, and
// the numbers of pongs.
func wantReceived(t *testing.T, got []p2ptest.Recorded, h handling) {
	t.Helper()
	var commands []string
	var nonces []uint16
	optional := func(command string) bool { return slices.Contains(h.optional, command) }
	for _, m := range got {
		if optional(m.Command) {
			continue
		}
		if m.Command == wire.CommandPong {
			var pong wire.Pong
			if err := pong.Decode(m.Payload); err != nil {
				t.Fatal(err)
			}
			if pong.Nonce == laterPing {
				continue
			}
			nonces = append(nonces, pong.Nonce)
		}
		commands = append(commands, m.Command)
	}
	want := slices.DeleteFunc(slices.Sorted(slices.Values(h.Received)), optional)
	if got := slices.Sorted(slices.Values(commands)); !slices.Equal(got, want) {
		t.Errorf("received %q, want %q", got, want)
	}
	if !slices.Equal(nonces, h.Nonces) {
		t.Errorf("the pongs have nonces %d, want %d", nonces, h.Nonces)
	}
}
