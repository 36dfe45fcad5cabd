package p2p_test

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/p2ptest"
	"dchat/p2p/protocol"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what should come at once.
const patience = 30 * time.Second

// text is the message of an application: a text without limit and metering.
type text struct{ Text string }

const textCommand = "DchatMsg"

func (text) Spec() wire.Spec                 { return wire.Spec{Command: textCommand} }
func (m text) AppendPayload(b []byte) []byte { return wire.AppendString(b, m.Text) }

func (m *text) Decode(payload []byte) error {
	d := wire.NewDecoder(textCommand, payload)
	m.Text = d.String()
	return d.Finish()
}

// node is a node under test, with an application on it.
type node struct {
	*p2p.P2p
	t        *testing.T
	set      transport.Set
	logs     *observer.ObservedLogs
	channels chan *channel.Channel // each one that was made, before its handshake
	texts    chan string           // what the application received
}

// memory is a network inside this process.
func memory() transport.Set { return transport.Set{addr.TCP: transport.NewMem()} }

// everyScheme is memory for a node that dials what a seed does; only tcp is used.
func everyScheme() transport.Set {
	mem := transport.NewMem()
	return transport.Set{addr.TCP: mem, addr.TCPTLS: mem, addr.Tor: mem, addr.TorTLS: mem, addr.I2P: mem, addr.I2PTLS: mem}
}

// listening is a node that takes connections on a free port, and makes none.
func listening(s *p2p.Settings) {
	s.Inbound = []addr.Addr{addr.MustParse("tcp://127.0.0.1:0")}
	s.OutboundConnections = 0
	s.ActiveProfiles = []string{addr.TCP}
	s.Localnet = true
}

// withPeers makes the node connect to these, and listen nowhere.
func withPeers(peers ...addr.Addr) func(*p2p.Settings) {
	return func(s *p2p.Settings) { s.Inbound, s.Peers = nil, peers }
}

// listen listens on a free port of this machine.
func listen(t *testing.T, set transport.Set) transport.Listener {
	t.Helper()
	l, err := set.Listen(t.Context(), addr.MustParse("tcp://127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // closed already where that is the test
	return l
}

// newNode makes a node of the settings of listening, after changes. It is
// stopped when the test ends.
func newNode(t *testing.T, set transport.Set, changes ...func(*p2p.Settings)) *node {
	t.Helper()
	return newNodeWith(t, set, nil, changes...)
}

// newNodeWith is newNode with options.
func newNodeWith(t *testing.T, set transport.Set, options []p2p.Option, changes ...func(*p2p.Settings)) *node {
	t.Helper()
	settings := p2p.DefaultSettings()
	listening(&settings)
	for _, change := range changes {
		change(&settings)
	}
	core, logs := observer.New(zap.DebugLevel)
	inner, err := p2p.New(settings, append(options, p2p.WithTransports(set), p2p.WithLogger(zap.New(core)))...)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{
		P2p: inner, t: t, set: set, logs: logs,
		channels: make(chan *channel.Channel, 4096),
		texts:    make(chan string, 1<<16),
	}
	n.register(protocol.Registration{
		Name:     "text",
		Sessions: channel.Default,
		New: func(ch *channel.Channel, _ protocol.Node) (protocol.Protocol, error) {
			n.channels <- ch
			return nil, ch.Subscribe(channel.Subscription{Spec: text{}.Spec(), Handle: channel.On(func(m *text) error {
				n.texts <- m.Text
				return nil
			})})
		},
	})
	return n
}

func (n *node) register(reg protocol.Registration) {
	n.t.Helper()
	if err := n.Register(reg); err != nil {
		n.t.Fatal(err)
	}
}

// watch makes the channels of a kind of session that has no text known too.
func (n *node) watch(kind channel.Kind) {
	n.register(protocol.Registration{
		Name:     "watch",
		Sessions: kind,
		New: func(ch *channel.Channel, _ protocol.Node) (protocol.Protocol, error) {
			n.channels <- ch
			return nil, nil
		},
	})
}

// startNode is newNode and start.
func startNode(t *testing.T, set transport.Set, changes ...func(*p2p.Settings)) *node {
	t.Helper()
	n := newNode(t, set, changes...)
	n.start()
	return n
}

func (n *node) start() {
	n.t.Helper()
	if err := n.Start(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(n.stop)
}

// stop stops the node, without a limit to how long that may take.
func (n *node) stop() {
	n.t.Helper()
	if err := n.Stop(context.WithoutCancel(n.t.Context())); err != nil {
		n.t.Errorf("stop: %v", err)
	}
}

// dial connects to the node; the handshake is still to come.
func (n *node) dial() *p2ptest.Peer {
	n.t.Helper()
	return p2ptest.Dial(n.t, n.set, n.Addrs()[0])
}

// greeted connects to the node and does all that makes a peer.
func (n *node) greeted() *p2ptest.Peer {
	n.t.Helper()
	p := n.dial()
	p.Greet()
	return p
}

// channel waits for the next channel that the node makes.
func (n *node) channel() *channel.Channel {
	n.t.Helper()
	return next(n.t, n.channels, "channel")
}

// text waits for the next text that the application receives.
func (n *node) text() string {
	n.t.Helper()
	return next(n.t, n.texts, "text")
}

// received returns the texts that have arrived until now.
func (n *node) received() []string {
	var texts []string
	for {
		select {
		case s := <-n.texts:
			texts = append(texts, s)
		default:
			return texts
		}
	}
}

// broadcast sends a text, and wants it queued for so many peers.
func (n *node) broadcast(s string, peers int) {
	n.t.Helper()
	if got, err := n.Broadcast(&text{s}); err != nil || got != peers {
		n.t.Fatalf("Broadcast(%.20q) = %d, %v; want %d peers", s, got, err, peers)
	}
}

func next[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s came within %v", what, patience)
		panic("unreachable")
	}
}

// reason waits for the end of a channel and returns why it came.
func reason(t *testing.T, ch *channel.Channel) error {
	t.Helper()
	next(t, ch.Done(), "end of the channel")
	return ch.Err()
}

// offence returns which rule the peer broke, 0 when the reason is another one.
func offence(err error) wire.Kind {
	var e *wire.Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}

// wantOffence checks that a channel ended because of what the peer did.
func wantOffence(t *testing.T, ch *channel.Channel, want wire.Kind) {
	t.Helper()
	if err := reason(t, ch); offence(err) != want {
		t.Errorf("the channel ended with %v, want the offence %q", err, want)
	}
}

// wantReason checks that a channel ended without an offence.
func wantReason(t *testing.T, ch *channel.Channel, want error) {
	t.Helper()
	if err := reason(t, ch); !errors.Is(err, want) || offence(err) != 0 {
		t.Errorf("the channel ended with %v, want %v and no offence", err, want)
	}
}

// eventually waits until a condition of the real world holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// lastPing returns the number of the last ping that the node sent.
func lastPing(r *p2ptest.Recording) (nonce uint16, ok bool) {
	for _, m := range slices.Backward(r.Messages()) {
		if m.Command == wire.CommandPing {
			return binary.LittleEndian.Uint16(m.Payload), true
		}
	}
	return 0, false
}
