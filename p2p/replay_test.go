package p2p_test

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/p2ptest"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// line is one frame or event of a transcript.
type line struct {
	T        float64 // seconds since the beginning
	Conn     int     // 0 where there is only one connection
	From     string  // dialer or listener
	Command  string
	Frame    string // in hexadecimal, as is Unparsed
	Unparsed string // bytes that are no frame
	Event    string // eof or reset: that side ended its stream, for us one as good as the other
}

func (l line) at() time.Duration { return time.Duration(l.T * float64(time.Second)) }

func (l line) bytes(t *testing.T) []byte {
	t.Helper()
	b, err := hex.DecodeString(l.Frame + l.Unparsed)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// slack is by how much the moments of the recording, which was made on real
// sockets, may differ from those of our node, which has no delay.
const slack = 100 * time.Millisecond

// replay is one transcript, replayed to a node in virtual time.
type replay struct {
	t     *testing.T
	tr    transcript
	lines []line
	start time.Time
	node  *node

	conns   map[int]*conversation
	said    map[string]bool // texts broadcast already
	stopped chan struct{}
}

// conversation is one connection of a replay.
type conversation struct {
	peer      *p2ptest.Peer
	recording *p2ptest.Recording
	listener  transport.Listener // where the peer is dialled, nil where it dials
	lastPing  uint16             // the number of the ping our side sent last in the transcript
}

func newReplay(t *testing.T, tr transcript) *replay {
	r := &replay{t: t, tr: tr, conns: make(map[int]*conversation), said: make(map[string]bool), stopped: make(chan struct{})}
	f, err := os.Open("testdata/transcripts/" + tr.file + ".jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for scanner := bufio.NewScanner(f); scanner.Scan(); {
		var l line
		if err := json.Unmarshal(scanner.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		r.lines = append(r.lines, l)
	}
	if tr.edit != nil {
		r.lines = tr.edit(r.lines)
	}
	return r
}

func (r *replay) ours(l line) bool {
	if r.tr.sides != nil {
		return l.From == r.tr.sides[l.Conn]
	}
	return l.From == r.tr.side
}

func (r *replay) run() {
	r.setUp()
	for _, l := range r.lines {
		if wait := l.at() - time.Since(r.start); wait > 0 {
			<-time.After(wait)
		}
		synctest.Wait()
		c := r.conversation(l)
		if r.ours(l) {
			r.act(l, c)
		} else {
			r.say(l, c)
		}
	}
	<-time.After(time.Second)
	if r.tr.stops {
		<-r.stopped
	}
	r.check()
}

// setUp starts our node at the address of the transcript, and listens where it
// will dial.
func (r *replay) setUp() {
	set := memory()
	inbound, peers := []addr.Addr{}, []addr.Addr{}
	for _, l := range r.lines {
		if l.From != "dialer" || l.Command != wire.CommandVersion {
			continue
		}
		target := r.version(l).ConnectRecvAddr
		ours := r.ours(l)
		if !ours && !slices.Contains(inbound, target) {
			inbound = append(inbound, target)
		}
		if ours {
			peers = append(peers, target)
			listener, err := set.Listen(r.t.Context(), target)
			if err != nil {
				r.t.Fatal(err)
			}
			r.t.Cleanup(func() { _ = listener.Close() })
			r.conns[l.Conn] = &conversation{listener: listener}
		}
	}
	r.start = time.Now()
	r.node = startNode(r.t, set, func(s *p2p.Settings) {
		if len(inbound) > 0 {
			s.Inbound = inbound
		}
		s.Peers = peers
		s.HideFeatures = true // as stock nodes have none
		if r.tr.settings != nil {
			r.tr.settings(s)
		}
	})
}

// version decodes a version message, which may have other magic bytes than ours.
func (r *replay) version(l line) wire.Version {
	r.t.Helper()
	frame := l.bytes(r.t)
	frames := wire.NewFrameReader(bytes.NewReader(frame), [4]byte(frame[:4]))
	if _, err := frames.Next(); err != nil {
		r.t.Fatal(err)
	}
	payload, err := frames.Payload(wire.Version{}.Spec().MaxPayload)
	if err != nil {
		r.t.Fatal(err)
	}
	var v wire.Version
	if err := v.Decode(payload); err != nil {
		r.t.Fatal(err)
	}
	return v
}

// conversation returns the connection of a line, and makes it if need be.
func (r *replay) conversation(l line) *conversation {
	r.t.Helper()
	c := r.conns[l.Conn]
	if c == nil {
		c = &conversation{}
		r.conns[l.Conn] = c
	}
	if c.peer == nil {
		if c.listener != nil {
			c.peer = p2ptest.Accept(r.t, c.listener)
		} else {
			c.peer = r.node.dial()
		}
		c.recording = c.peer.Record()
	}
	return c
}

// act makes our node do what it does not do by itself.
func (r *replay) act(l line, c *conversation) {
	r.t.Helper()
	switch {
	case l.Command == wire.CommandPing:
		frame := l.bytes(r.t)
		c.lastPing = binary.LittleEndian.Uint16(frame[len(frame)-2:])
	case l.Command == textCommand && !r.said[l.Frame]:
		r.said[l.Frame] = true // the same text on another connection is the same broadcast
		var m text
		if err := m.Decode(l.bytes(r.t)[4+1+len(textCommand)+1:]); err != nil {
			r.t.Fatal(err)
		}
		r.node.broadcast(m.Text, cmp.Or(r.tr.peers, len(r.conns)))
	case l.Event != "" && r.tr.stops:
		select {
		case <-r.stopped:
		default:
			close(r.stopped)
			r.node.stop()
		}
	}
}

// say is what the other side does.
func (r *replay) say(l line, c *conversation) {
	r.t.Helper()
	switch {
	case l.Event != "":
		_ = c.peer.Conn().CloseWrite() // closed already, where our node was first
	case l.Command == wire.CommandPong:
		frame := l.bytes(r.t)
		off := binary.LittleEndian.Uint16(frame[len(frame)-2:]) - c.lastPing // 0 unless it is wrong on purpose
		ping, ok := lastPing(c.recording)
		if !ok {
			r.t.Fatal("the transcript has a pong where our node sent no ping")
		}
		c.peer.Send(&wire.Pong{Nonce: ping + off})
	default:
		c.peer.Write(l.bytes(r.t))
	}
}

func (r *replay) check() {
	for range r.conns {
		switch want := r.tr.ends.(type) {
		case wire.Kind:
			wantOffence(r.t, r.node.channel(), want)
		case error:
			wantReason(r.t, r.node.channel(), want)
		}
	}
	if got := r.node.received(); !slices.Equal(got, r.tr.texts) {
		r.t.Errorf("the application received %q, want %q", got, r.tr.texts)
	}
	for conn, c := range r.conns {
		r.checkConversation(conn, c)
	}
}

// checkConversation compares what our node said with the transcript: version and
// verack first, then each command in its order; among each other the commands
// have none.
func (r *replay) checkConversation(conn int, c *conversation) {
	r.t.Helper()
	want := make(map[string][]line)
	for _, l := range r.lines {
		if l.Conn != conn || !r.ours(l) {
			continue
		}
		if l.Event == "" {
			want[l.Command] = append(want[l.Command], l)
			continue
		}
		at, clean, ended := c.recording.Ended()
		if !ended || !clean || r.off(at, l) {
			r.t.Errorf("our stream ended: %v, between frames: %v, after %v; want %v", ended, clean, at.Sub(r.start), l.at())
		}
	}
	greeting := len(want[wire.CommandVersion]) + len(want[wire.CommandVerack])
	for i, m := range c.recording.Messages() {
		handshake := m.Command == wire.CommandVersion || m.Command == wire.CommandVerack
		if handshake != (i < greeting) {
			r.t.Errorf("message %d is %s: the handshake comes first and only then", i, m.Command)
		}
		lines := want[m.Command]
		if len(lines) == 0 {
			r.t.Errorf("%s too many: %x after %v", m.Command, m.Payload, m.At.Sub(r.start))
			continue
		}
		l := lines[0]
		want[m.Command] = lines[1:]
		frame := c.peer.RawFrame(m.Command, m.Payload)
		if expected := r.expected(l, m, c); !bytes.Equal(frame, expected) {
			r.t.Errorf("our %s is\n%x, want\n%x", m.Command, frame, expected)
		}
		if r.off(m.At, l) {
			r.t.Errorf("our %s came after %v, want %v", m.Command, m.At.Sub(r.start), l.at())
		}
	}
	for command, lines := range want {
		if len(lines) > 0 {
			r.t.Errorf("%d of our %s did not come", len(lines), command)
		}
	}
}

func (r *replay) off(at time.Time, l line) bool {
	return (at.Sub(r.start) - l.at()).Abs() > slack
}

// expected is the frame of a line with our own number of a ping, the time of now,
// and the port that the peer really has.
func (r *replay) expected(l line, m p2ptest.Recorded, c *conversation) []byte {
	r.t.Helper()
	frame := l.bytes(r.t)
	switch l.Command {
	case wire.CommandPing:
		return append(frame[:len(frame)-2], m.Payload...)
	case wire.CommandVersion:
		v := r.version(l)
		v.Timestamp = uint64(m.At.Unix())
		if l.From == "listener" {
			v.ConnectRecvAddr = addr.MustParse("tcp://" + c.peer.Conn().LocalAddr().String())
		}
		return c.peer.Frame(&v)
	default:
		return frame
	}
}
