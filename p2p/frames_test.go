package p2p_test

import (
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/p2ptest"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// The tests in this file run over real sockets, but for the one that looks at the clock.

func TestF12FramesOneByteAtATime(t *testing.T) {
	n := startNode(t, transport.Default())
	p := n.dial()
	conversation := slices.Concat(p.Frame(&p.Version), p.Frame(&p.Verack), p.Frame(&wire.Ping{Nonce: 7}), p.Frame(&text{"slowly"}))
	for i := range conversation {
		p.Write(conversation[i : i+1])
	}
	var pong wire.Pong
	if p.Expect(&pong); pong.Nonce != 7 {
		t.Errorf("pong has nonce %d, want 7", pong.Nonce)
	}
	if got := n.text(); got != "slowly" {
		t.Errorf("received %q", got)
	}
}

func TestF12FramesSplitAtEveryPlace(t *testing.T) {
	n := startNode(t, transport.Default())
	p := n.greeted()
	frames := slices.Concat(p.Frame(&text{"one"}), p.Frame(&text{strings.Repeat("x", 300)}), p.Frame(&text{"three"}))
	for i := range frames {
		p.Write(frames[:i])
		p.Write(frames[i:])
		if one, two, three := n.text(), n.text(), n.text(); one != "one" || len(two) != 300 || three != "three" {
			t.Fatalf("split at %d: received %q %q %q", i, one, two, three)
		}
	}
}

func TestF12ManyFramesInOneWrite(t *testing.T) {
	n := startNode(t, transport.Default())
	p := n.greeted()
	const many = 10_000
	var frames []byte
	for i := range many {
		frames = append(frames, p.Frame(&text{fmt.Sprint(i)})...)
	}
	p.Write(frames)
	for i := range many {
		if got := n.text(); got != fmt.Sprint(i) {
			t.Fatalf("text %d is %q", i, got)
		}
	}
}

// broken are streams that end the connection as soon as they are seen.
var broken = []struct {
	name  string
	bytes func(p *p2ptest.Peer) []byte
	kind  wire.Kind
}{
	{"wrong magic", func(p *p2ptest.Peer) []byte { p.Magic[3]++; return p.Frame(&text{"x"}) }, wire.BadMagic},
	{"HTTP", func(*p2ptest.Peer) []byte { return []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n") }, wire.BadMagic},
	{"unknown command", func(p *p2ptest.Peer) []byte { return p.RawFrame("hello", nil) }, wire.UnknownCommand},
	{"known command in other case", func(p *p2ptest.Peer) []byte { return p.RawFrame("PING", []byte{1, 2}) }, wire.UnknownCommand},
	{"empty command", func(p *p2ptest.Peer) []byte { return p.RawFrame("", nil) }, wire.UnknownCommand},
	{"unknown command of 255 bytes", func(p *p2ptest.Peer) []byte { return p.RawFrame(strings.Repeat("c", 255), nil) }, wire.UnknownCommand},
	{"unknown command full of control bytes", func(p *p2ptest.Peer) []byte { return p.RawFrame("\x1b[2J\r\n\x00\u202e", nil) }, wire.UnknownCommand},
	{"command of 256 bytes", func(p *p2ptest.Peer) []byte { return p.RawFrame(strings.Repeat("c", 256), nil) }, wire.CommandTooLong},
	{"command of 2^63 bytes", func(p *p2ptest.Peer) []byte { return append(p.Magic[:], 0xff, 0, 0, 0, 0, 0, 0, 0, 0x80) }, wire.CommandTooLong},
	{"F1 command length not in its shortest form", func(p *p2ptest.Peer) []byte { return append(p.Magic[:], 0xfd, 4, 0) }, wire.BadHeader},
	{"F9 command not UTF-8", func(p *p2ptest.Peer) []byte { return p.RawFrame("\xff\xfe", nil) }, wire.BadHeader},
	{"F2 payload length not in its shortest form", func(p *p2ptest.Peer) []byte {
		return append(p.RawFrame(wire.CommandPing, nil)[:9], 0xfd, 2, 0, 1, 2)
	}, wire.BadPayload},
	{"F4 payload over its limit", func(p *p2ptest.Peer) []byte { return p.RawFrame(wire.CommandPing, []byte{1, 2, 3}) }, wire.BadPayload},
	{"payload too short", func(p *p2ptest.Peer) []byte { return p.RawFrame(wire.CommandPing, []byte{1}) }, wire.BadPayload},
	{"payload not UTF-8", func(p *p2ptest.Peer) []byte { return p.RawFrame(textCommand, []byte{1, 0xff}) }, wire.BadPayload},
	{"F5 count that the payload cannot hold", func(p *p2ptest.Peer) []byte {
		return p.RawFrame(wire.CommandAddr, []byte{0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3})
	}, wire.BadPayload},
	{"F8 byte left over", func(p *p2ptest.Peer) []byte { return p.RawFrame(textCommand, []byte{1, 'x', 0}) }, wire.BadPayload},
	{"F8 frame hidden in a payload", func(p *p2ptest.Peer) []byte {
		return p.RawFrame(textCommand, append([]byte{1, 'x'}, p.Frame(&text{"hidden"})...))
	}, wire.BadPayload},
}

// metered are the rows with a metered command: its messages are decoded when
// their turn comes, which may be after that of another command's.
func metered(row string) bool {
	return row == "payload too short" || row == "F5 count that the payload cannot hold"
}

func TestBrokenStreamsAreClosedAtOnceAndHarmNobodyElse(t *testing.T) {
	for _, c := range broken {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := startNode(t, memory())
				neighbour := n.greeted()
				n.channel()
				p := n.greeted()
				start := time.Now()
				_ = p.TryWrite(append(c.bytes(p), p.Frame(&text{"after"})...)) // the node may close before it has all
				p.Closed()
				p.Close(false)
				if took := time.Since(start); took > time.Second {
					t.Errorf("it took %v to close", took)
				}
				wantOffence(t, n.channel(), c.kind)
				neighbour.Send(&text{"neighbour"})
				got := n.text()
				if got == "after" && metered(c.name) {
					got = n.text()
				}
				if got != "neighbour" {
					t.Errorf("the application received %q", got)
				}
			})
		})
	}
}

func TestF9NothingThatAPeerSendsGetsIntoALogAsItIs(t *testing.T) {
	n := startNode(t, transport.Default(), func(s *p2p.Settings) { s.BanPolicy = p2p.BanRelaxed })
	for _, command := range []string{"\x1b[2J\r\n\x00\u202e", strings.Repeat("c", 255), "\xff\xfe"} {
		p := n.greeted()
		_ = p.TryWrite(p.RawFrame(command, nil))
		p.Closed()
		p.Close(false)
		_ = reason(t, n.channel())
	}
	p := n.dial()
	p.Verack.AppName = "\x1b]0;title\a"
	p.Send(&p.Version, &p.Verack)
	p.Closed()
	p.Close(false)
	n.stop()
	odd := regexp.MustCompile(`[^ -~]`)
	for _, entry := range n.logs.All() {
		for name, value := range entry.ContextMap() {
			if s := fmt.Sprint(value); odd.MatchString(s) || len(s) > 200 {
				t.Errorf("log %q: field %s is %q", entry.Message, name, s)
			}
		}
	}
}

func TestF10WrongMagicAfterAThousandGoodFrames(t *testing.T) {
	n := startNode(t, transport.Default())
	p := n.greeted()
	var frames []byte
	for range 1000 {
		frames = append(frames, p.Frame(&text{"good"})...)
	}
	p.Magic[0]++
	p.Write(append(frames, p.Frame(&text{"bad"})...))
	wantOffence(t, n.channel(), wire.BadMagic)
	if got := n.received(); len(got) != 1000 {
		t.Errorf("received %d texts, want 1000", len(got))
	}
}

func TestF6AndF7AStreamCutAnywhereIsNoOffence(t *testing.T) {
	n := startNode(t, transport.Default())
	for _, reset := range []bool{false, true} {
		for cut := 0; ; cut++ {
			p := n.greeted()
			frame := p.Frame(&text{"cut"})
			if cut == len(frame) {
				p.Close(false)
				_ = reason(t, n.channel())
				break
			}
			p.Write(frame[:cut])
			p.Close(reset)
			if err := reason(t, n.channel()); offence(err) != 0 {
				t.Errorf("reset %v, cut at %d: the channel ended with %v, want no offence", reset, cut, err)
			}
		}
	}
	if got := n.received(); len(got) > 0 {
		t.Errorf("received %q, want nothing", got)
	}
}

// allocated returns how many bytes the whole program allocates while f runs.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestF4AHugeLengthTakesNoMemory(t *testing.T) {
	const rounds = 20
	const most = 64 << 10 // for a connection that was made already, at both ends
	for _, c := range []struct {
		name   string
		length uint64
		waits  bool // the length is allowed, so the node waits for the payload
	}{
		{"2^63", 1 << 63, false},
		{"2^64-1", 1<<64 - 1, false},
		{"4 GiB", 4 << 30, false},
		{"one over the limit", 4<<20 + 1, false},
		{"the limit", 4 << 20, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := startNode(t, transport.Default(), func(s *p2p.Settings) { s.InboundConnections = rounds })
			var peers []*p2ptest.Peer
			for range rounds {
				peers = append(peers, n.greeted())
			}
			taken := allocated(func() {
				for _, p := range peers {
					header := p.RawFrame(textCommand, nil)
					huge := append(wire.AppendVarInt(header[:len(header)-1], c.length), "abc"...)
					p.Write(append(p.Frame(&wire.Ping{}), huge...))
				}
				for _, p := range peers {
					if c.waits {
						p.Expect(&wire.Pong{}) // the node has read what came with the ping
					} else {
						wantOffence(t, n.channel(), wire.BadPayload)
					}
				}
			})
			t.Logf("%d bytes for each connection", taken/rounds)
			if taken/rounds > most {
				t.Errorf("%d bytes were allocated for each connection, want at most %d", taken/rounds, most)
			}
		})
	}
}

func TestMaxMessageIsTheLimitOfTexts(t *testing.T) {
	n := startNode(t, transport.Default(), func(s *p2p.Settings) { s.MaxMessage = 2000 })
	p := n.greeted()
	p.Send(&text{strings.Repeat("x", 2000-3)})
	if got := n.text(); len(got) != 1997 {
		t.Errorf("received %d bytes, want 1997", len(got))
	}
	p.Send(&text{strings.Repeat("x", 2000-2)})
	wantOffence(t, n.channel(), wire.BadPayload)
}
