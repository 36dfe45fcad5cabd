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
	"dchat/p2p/channel"
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
	book  notebook  // of a session that dials what is in the host list
	there addr.Addr // that is dialled, or in the book

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
	shift     int64              // from the transcript's time of day, in seconds, to ours
	version   wire.Version       // of the dialer, in the transcript
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
		c := r.conversation(l)
		r.until(l)
		synctest.Wait()
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

// until waits for the moment of a line.
func (r *replay) until(l line) {
	if wait := l.at() - time.Since(r.start); wait > 0 {
		<-time.After(wait)
	}
}

// setUp starts our node at the address of the transcript, with what it is told to
// say, and listens where it will dial.
func (r *replay) setUp() {
	ends := &endpoints{set: everyScheme(), listeners: make(map[addr.Addr]transport.Listener)}
	for _, l := range r.lines {
		if l.From == "dialer" && l.Command == wire.CommandVersion {
			r.meet(ends, l)
		}
	}
	changes := []func(*p2p.Settings){func(s *p2p.Settings) { r.configure(s, ends) }}
	if colour := r.found(); colour != "" {
		r.book = newNotebook(r.t, colour, r.there)
		changes = append(changes, r.book.keep)
	}
	if r.tr.settings != nil {
		changes = append(changes, r.tr.settings)
	}
	r.node = newNodeWith(r.t, ends.set, []p2p.Option{p2p.WithRandom(utmost{})}, changes...)
	if r.tr.session&(channel.Seed|channel.Refine) != 0 {
		r.node.watch(r.tr.session)
	}
	if r.tr.friend != "" {
		serving(r.t, ends.listen(r.t, addr.MustParse(r.tr.friend)))
	}
	r.start = time.Now()
	r.node.start()
	if first := r.conns[r.lines[0].Conn]; first != nil && first.listener != nil {
		r.conversation(r.lines[0])
		r.start = time.Now() // the transcript begins with the connection
	}
}

// found returns the colour that an address has in the host list; "" without one.
func (r *replay) found() (colour string) {
	switch {
	case r.tr.knows != "":
		r.there = addr.MustParse(r.tr.knows)
		return "white"
	case r.tr.session == channel.Outbound:
		return "white"
	case r.tr.session == channel.Refine:
		return "grey"
	}
	return ""
}

// endpoints are the places of a replay.
type endpoints struct {
	set       transport.Set
	inbound   []addr.Addr // ours
	dialled   []addr.Addr // theirs
	listeners map[addr.Addr]transport.Listener
}

func (e *endpoints) listen(t *testing.T, a addr.Addr) transport.Listener {
	t.Helper()
	if e.listeners[a] == nil {
		l, err := e.set.Listen(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		e.listeners[a] = l
		e.dialled = append(e.dialled, a)
	}
	return e.listeners[a]
}

// meet prepares the connection that a version of a dialer begins.
func (r *replay) meet(ends *endpoints, l line) {
	c := &conversation{version: r.version(l)}
	r.conns[l.Conn] = c
	target := c.version.ConnectRecvAddr
	switch {
	case r.ours(l):
		c.listener = ends.listen(r.t, target)
		r.there = target
	case !slices.Contains(ends.inbound, target):
		ends.inbound = append(ends.inbound, target)
	}
}

// configure makes our node what it is in the transcript.
func (r *replay) configure(s *p2p.Settings, ends *endpoints) {
	if len(ends.inbound) > 0 {
		s.Inbound = ends.inbound
	}
	switch r.tr.session {
	case channel.Seed:
		s.Seeds, s.OutboundConnections = ends.dialled, 1
	case channel.Outbound:
		s.OutboundConnections = 2
	case channel.Refine:
	default:
		s.Peers = ends.dialled
	}
	s.HideFeatures = true // as stock nodes have none
	for _, l := range r.lines {
		switch {
		case !r.ours(l):
		case l.Command == wire.CommandVersion:
			v := r.version(l)
			s.MagicBytes, s.AppName, s.ExternalAddrs = [4]byte(l.bytes(r.t)), v.AppName, v.ExtSendAddr
		case l.Command == wire.CommandGetAddr:
			var m wire.GetAddr
			r.decode(l, &m)
			s.OutboundConnections = int(m.Max)
		}
	}
}

// decode decodes a message, which may have other magic bytes than is usual.
func (r *replay) decode(l line, m wire.Decodable) {
	r.t.Helper()
	frame := l.bytes(r.t)
	frames := wire.NewFrameReader(bytes.NewReader(frame), [4]byte(frame))
	if _, err := frames.Next(); err != nil {
		r.t.Fatal(err)
	}
	payload, err := frames.Payload(len(frame))
	if err == nil {
		err = m.Decode(payload)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *replay) version(l line) (v wire.Version) {
	r.t.Helper()
	r.decode(l, &v)
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
	if c.peer != nil {
		return c
	}
	var conn transport.Conn
	if c.listener != nil {
		conn = p2ptest.Accept(r.t, c.listener).Conn()
	} else {
		r.until(l)
		conn = r.node.dial().Conn()
	}
	c.peer = r.peer(conn)
	c.recording = c.peer.Record()
	c.shift = time.Now().Unix() - int64(c.version.Timestamp)
	return c
}

// peer is the other end of a connection to our node.
func (r *replay) peer(conn transport.Conn) *p2ptest.Peer {
	magic := r.node.Settings().MagicBytes
	p := p2ptest.NewPeer(r.t, otherMagic{conn, magic})
	p.Magic = magic
	return p
}

// otherMagic is a connection to a node that has magic bytes of its own, for a peer
// that reads the usual ones.
type otherMagic struct {
	transport.Conn
	magic [4]byte
}

func (c otherMagic) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	copy(b, bytes.ReplaceAll(b[:n], c.magic[:], wire.DefaultMagic[:]))
	return n, err
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
		r.write(c, c.peer.Frame(&wire.Pong{Nonce: ping + off}))
	case l.Command == wire.CommandAddr:
		r.write(c, r.shifted(l, c))
	default:
		r.write(c, l.bytes(r.t))
	}
}

// write says something, unless our node has left.
func (r *replay) write(c *conversation, b []byte) {
	r.t.Helper()
	err := c.peer.TryWrite(b)
	if _, _, ended := c.recording.Ended(); err != nil && !ended {
		r.t.Fatal(err)
	}
}

// shifted is the frame of an addr with its times in our time of day.
func (r *replay) shifted(l line, c *conversation) []byte {
	r.t.Helper()
	var m wire.Addrs
	r.decode(l, &m)
	for i := range m.Entries {
		m.Entries[i].LastSeen += uint64(c.shift)
	}
	return c.peer.Frame(&m)
}
