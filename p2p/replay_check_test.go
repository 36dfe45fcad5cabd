package p2p_test

import (
	"bytes"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/p2ptest"
	"dchat/p2p/wire"
)

func (r *replay) check() {
	for range r.conns {
		switch want := r.tr.ends.(type) {
		case wire.Kind:
			wantOffence(r.t, r.node.channel(), want)
		case error:
			wantReason(r.t, r.node.channel(), want)
		case func(error) bool:
			if err := reason(r.t, r.node.channel()); !want(err) {
				r.t.Errorf("the channel ended with %v", err)
			}
		}
	}
	if got := r.node.received(); !slices.Equal(got, r.tr.texts) {
		r.t.Errorf("the application received %q, want %q", got, r.tr.texts)
	}
	for conn, c := range r.conns {
		r.checkConversation(conn, c)
	}
	r.node.wantBans(r.tr.banned...)
	if r.tr.side == "listener" && !r.tr.stops {
		wantNewConnection(r.t, r.peer(r.node.dial().Conn()), len(r.tr.banned) == 0)
	}
	r.node.stop()
	if r.book.path == "" {
		return
	}
	if got := r.book.says(r.t, r.there); got != r.tr.hostlist {
		r.t.Errorf("the host list says %q, want %q", got, r.tr.hostlist)
	}
}

// wantNewConnection checks that the next connection is answered with a version, or is
// closed without a byte.
func wantNewConnection(t *testing.T, p *p2ptest.Peer, welcome bool) {
	t.Helper()
	c := p.Record()
	synctest.Wait()
	_, _, ended := c.Ended()
	if got := c.Commands(); ended == welcome || welcome != slices.Equal(got, []string{wire.CommandVersion}) || !welcome && len(got) > 0 {
		t.Errorf("a new connection received %q and was closed: %v, want it welcome: %v", got, ended, welcome)
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
	case wire.CommandAddr:
		return r.shifted(l, c)
	default:
		return frame
	}
}
