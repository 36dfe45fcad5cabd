package p2p_test

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/protocol"
	"dchat/p2p/wire"
)

// formingTranscripts are those by which a network forms: seeds that are asked,
// addresses that are tried, connections to those that were found.
var formingTranscripts = []transcript{
	{file: "seed_empty", side: "dialer", session: channel.Seed, ends: answered,
		difference: "a seed that knows nobody is asked again after 1, 2, 4 … s, and a fifth more at most",
		edit:       func(lines []line) []line { return moved(lines, map[int]float64{2: 1.2, 4: 3.6}) }},
	{file: "seed_empty", side: "listener", settings: asSeed, friend: "tcp://127.0.0.1:64004", ends: channel.ErrDisconnected,
		difference: "a seed tries an address at once, and so tells it five seconds later",
		edit:       triedAtOnce},
	{file: "seed_known", side: "dialer", session: channel.Seed, ends: answered},
	{file: "seed_known", side: "listener", settings: asSeed, knows: "tcp://127.0.0.1:64004", friend: "tcp://127.0.0.1:64004",
		ends: channel.ErrDisconnected, hostlist: "white (last_seen new)"},
	{file: "seed_magic", side: "dialer", session: channel.Seed, edit: only(1), ends: answered},
	{file: "seed_magic", side: "listener", settings: asSeed, edit: only(1), ends: channel.ErrDisconnected},
	{file: "seed_magic", variant: "magic bytes that differ", side: "dialer", session: channel.Seed, edit: only(2), ends: wire.BadMagic},
	{file: "seed_magic", variant: "magic bytes that differ", side: "listener", settings: asSeed, edit: only(2), ends: wire.BadMagic},
	{file: "app_name_mismatch_seed", side: "dialer", session: channel.Seed, ends: wire.Mismatch},
	{file: "app_name_mismatch_seed", side: "listener", settings: asSeed, ends: wire.Mismatch},
	{file: "unknown_command_seed_daemon", side: "listener", settings: asSeed, ends: wire.UnknownCommand},

	{file: "outbound_chat", side: "dialer", session: channel.Outbound, stops: true, ends: channel.ErrStopped, texts: []string{"grüße von a"}, hostlist: "gold (last_seen new)",
		difference: "a slot that has nothing to dial makes the peers be asked after growing pauses, and in every third turn the seeds",
		edit: func(lines []line) []line {
			return searched(lines, "dialer", map[float64]float64{4.997: 8.4, 14.997: 18, 29.998: never})
		}},
	{file: "outbound_chat", side: "listener", friend: "tcp://127.0.0.1:64007", ends: channel.ErrDisconnected, texts: []string{"hello from b"},
		settings: func(s *p2p.Settings) {
			s.RefineryInterval = 10 * time.Second
			s.DisableGreys = true // so that the address is not dialled before it was tried, as there
		},
		difference: "peers are asked after growing pauses, and of two connections to one peer the dialled one only is asked",
		edit: func(lines []line) []line {
			return searched(lines, "listener", map[float64]float64{4.893: 9.6, 14.894: never, 29.899: never})
		}},
	{file: "app_name_mismatch_outbound", side: "dialer", session: channel.Outbound, ends: wire.Mismatch, hostlist: "grey (last_seen as before)",
		difference: "not banned, but left alone for an hour"},
	{file: "version_mismatch_outbound", side: "dialer", session: channel.Outbound, ends: wire.Mismatch, hostlist: "grey (last_seen as before)",
		difference: "not banned, but left alone for an hour"},
	{file: "wrong_magic_outbound", side: "dialer", session: channel.Outbound, ends: wire.BadMagic, hostlist: "grey (last_seen as before)",
		difference: "not banned, but left alone for ten minutes"},
	{file: "handshake_timeout_outbound", side: "dialer", session: channel.Outbound, ends: channel.ErrHandshakeTimeout, hostlist: "grey (last_seen as before)"},
	{file: "unknown_command_outbound", side: "dialer", session: channel.Outbound, ends: wire.UnknownCommand, banned: []string{"tcp://127.0.0.1:64014/"}},

	{file: "refine_by_node", side: "dialer", session: channel.Refine, edit: only(2), hostlist: "white (last_seen new)"},
	{file: "refine_by_node", side: "listener", ends: channel.ErrDisconnected,
		difference: "what is said after a handshake is on its way before the end of the stream is read", edit: greeted},
	{file: "refine_by_seed", side: "dialer", session: channel.Refine, settings: asSeed, hostlist: "white (last_seen new)"},
	{file: "refine_by_seed", side: "listener", ends: channel.ErrDisconnected,
		difference: "what is said after a handshake is on its way before the end of the stream is read", edit: greeted},
	{file: "unknown_command_refine", side: "dialer", session: channel.Refine, ends: wire.UnknownCommand,
		difference: "the unknown command ends the connection, not what is read after it"},
}

// asSeed makes the node one that others ask, as stock seeds are.
func asSeed(s *p2p.Settings) {
	s.SeedNode, s.BanPolicy = true, p2p.BanRelaxed
	s.ActiveProfiles = []string{addr.TCP, addr.TCPTLS, addr.Tor, addr.TorTLS, addr.I2P, addr.I2PTLS}
}

// answered tells whether a channel ended with the answer of a seed.
func answered(err error) bool {
	answer := (*protocol.SeedAnswer)(nil)
	return errors.As(err, &answer)
}

// only leaves one connection, which then begins at once.
func only(conn int) func([]line) []line {
	return func(lines []line) []line {
		lines = slices.DeleteFunc(lines, func(l line) bool { return l.Conn != conn })
		return moved(lines, map[int]float64{conn: 0})
	}
}

// moved makes connections begin at other moments.
func moved(lines []line, to map[int]float64) []line {
	shift := make(map[int]float64)
	for i, l := range lines {
		at, ok := to[l.Conn]
		if !ok {
			continue
		}
		if _, known := shift[l.Conn]; !known {
			shift[l.Conn] = at - l.T
		}
		lines[i].T += shift[l.Conn]
	}
	return lines
}

const never = -1.0

// searched moves the questions for addresses that one side asked at some moments,
// with their answers, or leaves them out.
func searched(lines []line, side string, to map[float64]float64) []line {
	answer := 0.0 // when the next one comes, if that was moved
	for i, l := range lines {
		at, ok := to[l.T]
		switch {
		case ok && l.From == side && l.Command == wire.CommandGetAddr:
			lines[i].T, answer = at, at+0.001
		case answer != 0 && l.From != side && l.Command == wire.CommandAddr:
			lines[i].T, answer = answer, 0
		}
	}
	lines = slices.DeleteFunc(lines, func(l line) bool { return l.T < 0 })
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.T, b.T) })
	return lines
}

// triedAtOnce makes a seed tell the address that it was told on connection 1, with
// the time of then, on all later ones.
func triedAtOnce(lines []line) []line {
	told := ""
	for i, l := range lines {
		switch {
		case l.Command != wire.CommandAddr:
		case l.From == "dialer" && l.Conn == 1:
			told = l.Frame
		case l.From == "listener" && l.Conn != 1:
			lines[i].Frame = told
		}
	}
	return lines
}

// greeted makes a listener say what follows the handshake on each connection.
func greeted(lines []line) []line {
	const question, ping = "d9efb67d076765746164647209020000000103746370", "d9efb67d0470696e67020000"
	var edited []line
	for _, l := range lines {
		if l.From == "listener" && (l.Command == wire.CommandGetAddr || l.Command == wire.CommandPing) {
			continue
		}
		if l.From == "dialer" && l.Event != "" {
			said := line{T: l.T, Conn: l.Conn, From: "listener", Command: wire.CommandGetAddr, Frame: question}
			edited = append(edited, said)
			said.Command, said.Frame = wire.CommandPing, ping
			edited = append(edited, said)
		}
		edited = append(edited, l)
	}
	return edited
}
