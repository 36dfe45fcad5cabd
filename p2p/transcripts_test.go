package p2p_test

import (
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/protocol"
	"dchat/p2p/wire"
)

// A transcript is a recorded conversation between two stock nodes, or a stock
// node and a peer that misbehaves. Our node takes one side, what the other said
// is said to it at the same moments, and what our node says must be the same, byte
// for byte, but for the numbers of its own pings and what depends on time and
// ports. Where our node is to behave differently, difference says how and edit
// changes what is expected.
type transcript struct {
	file       string
	variant    string // where the same is replayed twice
	side       string // the one our node takes; by connection where there are several
	sides      map[int]string
	session    channel.Kind // by which our node dials; 0: manual
	settings   func(*p2p.Settings)
	knows      string // what is in the host list of a node that does not dial it
	friend     string // an address at which somebody serves whoever comes
	peers      int    // to how many a text goes; 0: to as many as there are connections
	stops      bool   // our node ends the conversation by stopping
	difference string
	edit       func([]line) []line
	texts      []string // what the application receives
	ends       any      // a wire.Kind, an error that is no offence, or a func(error) bool
	banned     []string // hosts, or single addresses
	hostlist   string   // what the host list says at the end of the address that was in it
}

var transcripts = []transcript{
	{file: "app_name_mismatch_inbound", side: "listener", ends: wire.Mismatch},
	{file: "version_mismatch_inbound", side: "listener", ends: wire.Mismatch},
	{file: "version_fields_not_checked_inbound", side: "listener", ends: channel.ErrDisconnected},
	{file: "early_messages_inbound", side: "listener", texts: []string{"early"}, ends: channel.ErrDisconnected},
	{file: "second_handshake_inbound", side: "listener", ends: channel.ErrDisconnected},
	{file: "handshake_timeout_inbound", side: "listener", ends: channel.ErrHandshakeTimeout},
	{file: "ping_timeout_inbound", side: "listener", ends: protocol.ErrNoPong},
	{file: "wrong_pong_inbound", side: "listener", ends: protocol.ErrWrongPong},
	{file: "metering_8_pings_inbound", side: "listener", ends: channel.ErrDisconnected},
	{file: "metering_30_pings_inbound", side: "listener", ends: wire.Flood, banned: []string{"127.0.0.1"}},
	{file: "over_limit_ping_inbound", side: "listener", ends: wire.BadPayload, banned: []string{"127.0.0.1"}},
	{file: "unknown_command_inbound", side: "listener", ends: wire.UnknownCommand, banned: []string{"127.0.0.1"}},
	{file: "unknown_command_inbound_relaxed", side: "listener", ends: wire.UnknownCommand,
		settings: func(s *p2p.Settings) { s.BanPolicy = p2p.BanRelaxed }},
	{file: "wrong_magic_inbound", side: "listener", ends: wire.BadMagic},
	{file: "wrong_magic_manual", side: "dialer", ends: wire.BadMagic},
	{file: "eof_in_header_inbound", side: "listener", ends: io.ErrUnexpectedEOF},
	{file: "eof_in_payload_inbound", side: "listener", ends: io.ErrUnexpectedEOF,
		difference: "a stream that is cut is no offence, wherever it is cut: the same bytes, but nothing to ban for"},
	{file: "getaddr_huge_max_inbound", side: "listener", ends: channel.ErrDisconnected,
		difference: "the node lives on and answers with what it knows",
		edit: func(lines []line) []line {
			return append(lines[:len(lines)-1],
				line{T: 0.122, From: "listener", Command: "addr", Frame: "d9efb67d04616464720100"},
				line{T: 1, From: "dialer", Event: "eof"}, line{T: 1, From: "listener", Event: "eof"})
		}},
	{file: "left_over_byte_inbound", side: "listener", ends: wire.BadPayload, banned: []string{"127.0.0.1"},
		difference: "a message with a byte left over is not handled, and ends the connection at once",
		edit: func(lines []line) []line {
			getaddr := slices.IndexFunc(lines, func(l line) bool { return strings.HasSuffix(l.Frame, "2a") })
			return append(lines[:getaddr+1], line{T: lines[getaddr].T, From: "listener", Event: "eof"})
		}},
	{file: "shutdown_sigterm_inbound", side: "listener", stops: true, ends: channel.ErrStopped},
	{file: "manual_chat", side: "dialer", stops: true, ends: channel.ErrStopped, texts: []string{"from the listener", "é🦀"}},
	{file: "manual_chat", side: "listener", ends: channel.ErrDisconnected, texts: []string{"from the dialer", ""}},
	{file: "ipv6_loopback", side: "listener", ends: channel.ErrDisconnected, texts: []string{"over six"},
		settings: func(s *p2p.Settings) { s.ExternalAddrs = []addr.Addr{addr.MustParse("tcp://[::]:64059")} }},
	{file: "ipv6_loopback", side: "dialer", session: channel.Outbound, stops: true, ends: channel.ErrStopped, hostlist: "gold (last_seen new)"},
	{file: "duplicate_channels", sides: map[int]string{1: "listener", 2: "dialer"}, stops: true, ends: channel.ErrStopped},
	{file: "duplicate_channels", variant: "a peer that says its address", sides: map[int]string{1: "listener", 2: "dialer"}, stops: true, ends: channel.ErrStopped,
		difference: "where the peer that dialled us lists the address that we have dialled, the text goes there only", peers: 1, edit: listed},
}

func TestTranscripts(t *testing.T) {
	for _, tr := range slices.Concat(transcripts, formingTranscripts) {
		name := tr.file
		if tr.side != "" {
			name += " as " + tr.side
		}
		if tr.variant != "" {
			name += ", " + tr.variant
		}
		t.Run(name, func(t *testing.T) {
			if tr.difference != "" {
				t.Log("differs from the transcript:", tr.difference)
			}
			synctest.Test(t, func(t *testing.T) { newReplay(t, tr).run() })
		})
	}
}

// listed makes the dialer of connection 1 of duplicate_channels list the address that
// is dialled on connection 2, and takes away the text that our node then does not say.
func listed(lines []line) []line {
	for i, l := range lines {
		if l.Conn == 1 && l.From == "dialer" && l.Command == wire.CommandVersion {
			const none, one = "0000", "01167463703a2f2f3132372e302e302e313a36343030332f00" // the list, and no features
			frame := strings.TrimSuffix(l.Frame, none) + one
			lines[i].Frame = strings.Replace(frame, "5b0006646368617464", "720006646368617464", 1) // its length
		}
	}
	return slices.DeleteFunc(lines, func(l line) bool { return l.Conn == 1 && l.From == "listener" && l.Command == textCommand })
}
