package p2ptest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// patience is how long a Peer waits for anything before the test fails: longer than
// a node is silent between two pings.
const patience = time.Minute

// Peer is a connection to a node under test. Its methods fail the test when
// something else happens than they say; they are for the test's goroutine.
type Peer struct {
	t      testing.TB
	conn   transport.Conn
	frames *wire.FrameReader

	// Magic begins the frames that are sent.
	Magic [4]byte
	// Version and Verack are what Handshake sends; those of a stock dchatd.
	Version wire.Version
	Verack  wire.Verack
}

// Dial connects to a node. The connection is closed when the test ends.
func Dial(t testing.TB, set transport.Set, to addr.Addr) *Peer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	conn, err := set.Dial(ctx, to)
	if err != nil {
		t.Fatalf("dial %v: %v", to, err)
	}
	p := NewPeer(t, conn)
	p.Version.ConnectRecvAddr, p.Version.ResolveRecvAddr = to, to
	return p
}

// Accept waits for a node to connect to a listener, which is closed when none does.
func Accept(t testing.TB, l transport.Listener) *Peer {
	t.Helper()
	timer := time.AfterFunc(patience, func() { _ = l.Close() }) // Accept reports it
	defer timer.Stop()
	conn, err := l.Accept()
	if err != nil {
		t.Fatalf("accept: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	if err := transport.Handshake(ctx, conn); err != nil {
		t.Fatalf("transport handshake: %v", err)
	}
	p := NewPeer(t, conn)
	p.Version.ConnectRecvAddr = conn.Peer()
	return p
}

// NewPeer makes a Peer of a connection, which it closes when the test ends.
func NewPeer(t testing.TB, conn transport.Conn) *Peer {
	t.Cleanup(func() { _ = conn.Close() })
	stock := wire.Semver{Minor: 4, Patch: 1}
	return &Peer{
		t:       t,
		conn:    conn,
		frames:  wire.NewFrameReader(conn, wire.DefaultMagic),
		Magic:   wire.DefaultMagic,
		Version: wire.Version{AppName: "dchatd", AppVersion: stock, Timestamp: 1_782_864_000},
		Verack:  wire.Verack{AppName: "dchatd", AppVersion: stock},
	}
}

// Conn returns the connection, for what the other methods cannot do.
func (p *Peer) Conn() transport.Conn { return p.conn }

// Frame returns a message as the Peer would send it.
func (p *Peer) Frame(m wire.Message) []byte {
	p.t.Helper()
	b, err := wire.AppendFrame(nil, p.Magic, m)
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

// RawFrame returns a frame of any command and payload, however wrong.
func (p *Peer) RawFrame(command string, payload []byte) []byte {
	b := wire.AppendString(append([]byte(nil), p.Magic[:]...), command)
	return append(wire.AppendVarInt(b, uint64(len(payload))), payload...)
}

// Write sends bytes as they are, in one write.
func (p *Peer) Write(b []byte) {
	p.t.Helper()
	if err := p.TryWrite(b); err != nil {
		p.t.Fatalf("write: %v", err)
	}
}

// TryWrite is Write for when the node may have closed the connection.
func (p *Peer) TryWrite(b []byte) error {
	if err := p.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := p.conn.Write(b)
	return err
}

// Send sends messages, all in one write.
func (p *Peer) Send(messages ...wire.Message) {
	p.t.Helper()
	var b []byte
	for _, m := range messages {
		b = append(b, p.Frame(m)...)
	}
	p.Write(b)
}

// Message is one frame that the node sent.
type Message struct {
	Command string
	Payload []byte
}

// TryRead returns the next message, or why there is none. It may be called from
// any one goroutine.
func (p *Peer) TryRead() (Message, error) { return p.read(time.Now().Add(patience)) }

func (p *Peer) read(deadline time.Time) (Message, error) {
	if err := p.conn.SetReadDeadline(deadline); err != nil {
		return Message{}, err
	}
	h, err := p.frames.Next()
	if err != nil {
		return Message{}, err
	}
	m := Message{Command: string(h.Command)}
	payload, err := p.frames.Payload(64 << 20)
	m.Payload = append(m.Payload, payload...)
	return m, err
}

// Read returns the next message.
func (p *Peer) Read() Message {
	p.t.Helper()
	m, err := p.TryRead()
	if err != nil {
		p.t.Fatalf("read: %v", err)
	}
	return m
}

// Expect reads until a message of the command comes, and decodes it into m.
func (p *Peer) Expect(m wire.Decodable) {
	p.t.Helper()
	want := m.Spec().Command
	for {
		got, err := p.TryRead()
		if err != nil {
			p.t.Fatalf("waiting for %q: %v", want, err)
		}
		if got.Command != want {
			continue
		}
		if err := m.Decode(got.Payload); err != nil {
			p.t.Fatalf("%q: %v", want, err)
		}
		return
	}
}

// Handshake sends Version and Verack, and returns the node's version after its
// verack has come.
func (p *Peer) Handshake() wire.Version {
	p.t.Helper()
	p.Send(&p.Version, &p.Verack)
	var version wire.Version
	p.Expect(&version)
	p.Expect(&wire.Verack{})
	return version
}

// Greet is Handshake and AnswerPing: after it the node counts the Peer among its
// peers.
func (p *Peer) Greet() wire.Version {
	p.t.Helper()
	version := p.Handshake()
	p.AnswerPing()
	return version
}

// AnswerPing reads until the node's ping comes, and answers it.
func (p *Peer) AnswerPing() {
	p.t.Helper()
	var ping wire.Ping
	p.Expect(&ping)
	p.Send(&wire.Pong{Nonce: ping.Nonce})
}

// Alive checks that the node still answers a ping.
func (p *Peer) Alive() {
	p.t.Helper()
	const nonce = 0xA11E
	p.Send(&wire.Ping{Nonce: nonce})
	for {
		var pong wire.Pong
		if p.Expect(&pong); pong.Nonce == nonce {
			return
		}
	}
}

// Closed reads until the node ends the connection, and returns what it still
// sent. The end must lie between two frames.
func (p *Peer) Closed() []Message {
	p.t.Helper()
	var rest []Message
	for {
		m, err := p.TryRead()
		switch {
		case err == nil:
			rest = append(rest, m)
		case errors.Is(err, os.ErrDeadlineExceeded):
			p.t.Fatalf("the node did not close the connection")
		case errors.Is(err, io.ErrUnexpectedEOF):
			p.t.Fatalf("the node cut its stream inside a frame: %v", err)
		default:
			return rest
		}
	}
}

// CloseWrite ends the Peer's half of the connection; the node's can still be read.
func (p *Peer) CloseWrite() {
	p.t.Helper()
	if err := p.conn.CloseWrite(); err != nil {
		p.t.Fatalf("close write: %v", err)
	}
}

// Close ends the connection: at once, and with a reset where reset is true.
func (p *Peer) Close(reset bool) {
	if tcp, ok := p.conn.(interface{ SetLinger(sec int) error }); ok && reset {
		_ = tcp.SetLinger(0) // on a connection that is gone it does not matter
	}
	if err := p.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		p.t.Logf("close: %v", err)
	}
}
