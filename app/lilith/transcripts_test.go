package lilith

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/hosts"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// A transcript is a recorded conversation of nodes with a stock seed. Our seed takes its side:
// what the nodes said is said to it at the same moments, and what it answers must be the same
// in each command, but for the numbers of its own pings, times and ports, the transports that it
// can dial, and the mark by which it recognises connections to itself. Where it is to behave
// differently, difference says how and edit changes what is expected.
type transcript struct {
	file       string
	toml       string                                // of the network, but for its address
	before     func(*testing.T, transport.Set, seed) // what came before
	peers      []string                              // where nodes listen
	difference string
	edit       func([]line) []line
	white      []string // what the lists hold at the end
}

var transcripts = []transcript{
	{file: "seed_empty", toml: "localnet = true", peers: []string{"tcp://127.0.0.1:64004"}, white: []string{"tcp://127.0.0.1:64004/"},
		difference: "the node's address is tried at once, so the second answer has it already",
		edit: func(lines []line) []line {
			first := true
			for i, l := range lines {
				if l.Conn == 2 && l.From == "listener" && l.Command == wire.CommandAddr && first {
					lines[i].Frame = "d9efb67d04616464722001167463703a2f2f3132372e302e302e313a36343030342f1ad0036b00000000"
					first = false
				}
			}
			return lines
		}},
	{file: "seed_known", toml: "localnet = true", peers: []string{"tcp://127.0.0.1:64004"}, before: tell("tcp://127.0.0.1:64004"), white: []string{"tcp://127.0.0.1:64004/"}},
	{file: "seed_magic", toml: "localnet = true\nmagic_bytes = [1, 2, 3, 4]"},
	{file: "app_name_mismatch_seed", toml: "localnet = true\napp_name = \"other\"\nversion = \"0.4.1\""},
	{file: "unknown_command_seed_daemon", toml: "localnet = true"},
}

func TestTranscripts(t *testing.T) {
	for _, tr := range transcripts {
		t.Run(tr.file, func(t *testing.T) {
			if tr.difference != "" {
				t.Log("differs from the transcript:", tr.difference)
			}
			synctest.Test(t, func(t *testing.T) { tr.run(t) })
		})
	}
}

// line is one frame or event of a transcript.
type line struct {
	T       float64 // seconds since the beginning
	Conn    int     // 0 where there is only one connection
	From    string  // dialer or listener
	Command string
	Frame   string // in hexadecimal
	Event   string // eof or reset: that side ended its stream
}

func (l line) bytes(t *testing.T) []byte {
	t.Helper()
	b, err := hex.DecodeString(l.Frame)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// payload decodes the payload of a frame with any magic bytes.
func (l line) payload(t *testing.T, m wire.Decodable) {
	t.Helper()
	frame := l.bytes(t)
	frames := wire.NewFrameReader(bytes.NewReader(frame), [4]byte(frame[:4]))
	if _, err := frames.Next(); err != nil {
		t.Fatal(err)
	}
	payload, err := frames.Payload(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Decode(payload); err != nil {
		t.Fatal(err)
	}
}

func (tr transcript) lines(t *testing.T) (lines []line) {
	t.Helper()
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
		lines = append(lines, l)
	}
	if tr.edit != nil {
		lines = tr.edit(lines)
	}
	return lines
}

func (tr transcript) run(t *testing.T) {
	lines := tr.lines(t)
	set := memory()
	var version wire.Version
	lines[slices.IndexFunc(lines, func(l line) bool { return l.From == "dialer" })].payload(t, &version)
	listen := version.ConnectRecvAddr
	seeds, app := startSeeds(t, set, zap.NewNop(), "[network.x]\naccept_addrs = [\""+listen.String()+"\"]\n"+tr.toml)
	defer app.RequireStop()
	s := seeds[0]
	for _, a := range tr.peers {
		node := startNode(t, set, func(s *p2p.Settings) { s.Inbound = []addr.Addr{addr.MustParse(a)} })
		defer func() { _ = node.Stop(t.Context()) }()
	}
	if tr.before != nil {
		tr.before(t, set, s)
	}
	start := time.Now()
	conns := make(map[int]*conversation)
	for _, l := range lines {
		if l.From == "listener" {
			continue
		}
		<-time.After(time.Duration(l.T*float64(time.Second)) - time.Since(start))
		synctest.Wait()
		c := conns[l.Conn]
		if c == nil {
			c = talk(t, set, listen, s.node.Settings().MagicBytes)
			conns[l.Conn] = c
		}
		c.say(t, l)
	}
	<-time.After(time.Second)
	for conn, c := range conns {
		c.check(t, slices.DeleteFunc(slices.Clone(lines), func(l line) bool { return l.Conn != conn || l.From != "listener" }))
	}
	spawn := s.spawn()
	if !slices.Equal(spawn.Whitelist, tr.white) && len(spawn.Whitelist)+len(tr.white) > 0 {
		t.Errorf("the white list is %q, want %q", spawn.Whitelist, tr.white)
	}
	if bans := s.node.Hosts().Bans(); len(bans) > 0 {
		t.Errorf("the seed bans %v", bans)
	}
	again := talk(t, set, listen, s.node.Settings().MagicBytes)
	synctest.Wait()
	if len(again.messages) == 0 {
		t.Error("a new connection is not answered")
	}
	_ = again.conn.Close()
	<-again.ended
}

// message is what the seed sent.
type message struct {
	line
	at time.Time
}

// conversation is one connection to the seed.
type conversation struct {
	conn     transport.Conn
	messages []message
	ended    chan struct{} // closed when the seed has ended its stream
}

func talk(t *testing.T, set transport.Set, to addr.Addr, magic [4]byte) *conversation {
	t.Helper()
	conn, err := set.Dial(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	c := &conversation{conn: conn, ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		defer func() { _ = conn.Close() }()
		frames := wire.NewFrameReader(conn, magic)
		for {
			h, err := frames.Next()
			if err != nil {
				return
			}
			command := string(h.Command)
			payload, err := frames.Payload(1 << 20)
			if err != nil {
				return
			}
			frame := append(wire.AppendString(magic[:4:4], command), wire.AppendVarInt(nil, uint64(len(payload)))...)
			c.messages = append(c.messages, message{line{Command: command, Frame: hex.EncodeToString(append(frame, payload...))}, time.Now()})
		}
	}()
	return c
}

// say says a line of a node, with the number of the ping that it answers and the time of now.
func (c *conversation) say(t *testing.T, l line) {
	t.Helper()
	frame := l.bytes(t)
	switch {
	case l.Event != "":
		_ = c.conn.CloseWrite() // closed already where the seed was first
		return
	case l.Command == wire.CommandPong:
		ping := slices.IndexFunc(c.messages, func(m message) bool { return m.Command == wire.CommandPing })
		if ping < 0 {
			t.Fatal("the transcript has a pong where the seed sent no ping")
		}
		number := c.messages[ping].bytes(t)
		frame = append(frame[:len(frame)-2], number[len(number)-2:]...)
	case l.Command == wire.CommandAddr && len(frame) > 8:
		binary.LittleEndian.PutUint64(frame[len(frame)-8:], uint64(time.Now().Unix())) // of its one address
	}
	if _, err := c.conn.Write(frame); err != nil {
		t.Fatal(err)
	}
}

// check compares what the seed said, and that it ended where it is to have.
func (c *conversation) check(t *testing.T, want []line) {
	t.Helper()
	ends := len(want) > 0 && want[len(want)-1].Event != ""
	select {
	case <-c.ended:
		if !ends {
			t.Error("the seed ended the connection")
		}
	default:
		if ends {
			t.Error("the seed has not ended the connection")
		}
	}
	for _, m := range c.messages {
		i := slices.IndexFunc(want, func(l line) bool { return l.Command == m.Command })
		if i < 0 {
			t.Errorf("%s too many", m.Command)
			continue
		}
		c.compare(t, m, want[i])
		want = slices.Delete(want, i, i+1)
	}
	for _, l := range want {
		if l.Event == "" {
			t.Errorf("no %s", l.Command)
		}
	}
}

func (c *conversation) compare(t *testing.T, m message, want line) {
	t.Helper()
	switch m.Command {
	case wire.CommandPing:
	case wire.CommandVersion:
		var got, expected wire.Version
		m.payload(t, &got)
		want.payload(t, &expected)
		expected.Timestamp = uint64(m.at.Unix())
		expected.ConnectRecvAddr = addr.MustParse("tcp://" + c.conn.LocalAddr().String())
		for _, f := range got.Features {
			if !strings.HasPrefix(f.Name, "conn:") {
				t.Errorf("the seed says that it speaks %q", f.Name)
			}
		}
		got.Features = nil
		if a, b := got.AppendPayload(nil), expected.AppendPayload(nil); !bytes.Equal(a, b) {
			t.Errorf("version is\n%x, want\n%x", a, b)
		}
	case wire.CommandGetAddr:
		var got wire.GetAddr
		m.payload(t, &got)
		if got.Max != 0 || !slices.Equal(got.Transports, []string{"tcp", "tcp+tls"}) {
			t.Errorf("getaddr is %+v", got)
		}
	case wire.CommandAddr:
		var got, expected wire.Addrs
		m.payload(t, &got)
		want.payload(t, &expected)
		if len(got.Entries) != len(expected.Entries) {
			t.Fatalf("addr is %v, want %v", got.Entries, expected.Entries)
		}
		for i, e := range got.Entries {
			if age := m.at.Unix() - int64(e.LastSeen); e.Addr != expected.Entries[i].Addr || age < 0 || age > 15 {
				t.Errorf("addr has %v seen %d s ago, want %v", e.Addr, age, expected.Entries[i].Addr)
			}
		}
	default:
		if m.Frame != want.Frame {
			t.Errorf("%s is\n%s, want\n%s", m.Command, m.Frame, want.Frame)
		}
	}
}

// tell makes a node tell the seed an address, and waits until the seed has tried it.
func tell(a string) func(*testing.T, transport.Set, seed) {
	return func(t *testing.T, set transport.Set, s seed) {
		t.Helper()
		told := addr.MustParse(a)
		s.node.Hosts().Heard(told, []wire.Entry{{Addr: told, LastSeen: uint64(time.Now().Unix())}})
		<-time.After(time.Second)
		if c, ok := s.node.Hosts().ColourOf(told); !ok || c != hosts.White {
			t.Fatalf("%v is %v (%v) after a second, want it tried", told, c, ok)
		}
	}
}
