package p2pfx_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/protocol"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what should come at once.
const patience = 10 * time.Second

var (
	alice = addr.MustParse("tcp://alice:1000")
	bob   = addr.MustParse("tcp://bob:1000")
)

// memory is a network inside this process.
func memory() transport.Set { return transport.Set{addr.TCP: transport.NewMem()} }

// at is a node that listens at an address and calls itself by its host.
func at(listen addr.Addr) p2p.Settings {
	s := p2p.DefaultSettings()
	s.NodeID = listen.Hostname()
	s.Inbound = []addr.Addr{listen}
	return s
}

// note is the message of a protocol of these tests.
type note struct{ Text string }

const noteCommand = "note"

func (note) Spec() wire.Spec                 { return wire.Spec{Command: noteCommand, MaxPayload: 64} }
func (n note) AppendPayload(b []byte) []byte { return wire.AppendString(b, n.Text) }

func (n *note) Decode(payload []byte) error {
	d := wire.NewDecoder(noteCommand, payload)
	n.Text = d.String()
	return d.Finish()
}

// notes is a protocol with a feature of its own. It tells of the peers that speak it, and of what
// they send.
type notes struct {
	met chan struct{}
	got chan string
}

func newNotes() *notes { return &notes{met: make(chan struct{}, 1), got: make(chan string, 1)} }

func (n *notes) registration() protocol.Registration {
	return protocol.Registration{
		Name:     "notes",
		Sessions: channel.Default,
		Feature:  wire.Feature{Name: "notes", Version: 1},
		New: func(ch *channel.Channel, _ protocol.Node) (protocol.Protocol, error) {
			err := ch.Subscribe(channel.Subscription{
				Spec: note{}.Spec(),
				Handle: channel.On(func(m *note) error {
					n.got <- m.Text
					return nil
				}),
			})
			return n, err
		},
	}
}

// Start is called when the handshake is done.
func (n *notes) Start() error {
	n.met <- struct{}{}
	return nil
}

// silent is a protocol that can be seen in the handshake, and does nothing.
func silent(name string) protocol.Registration {
	return protocol.Registration{
		Name:     name,
		Sessions: channel.Default,
		Feature:  wire.Feature{Name: name, Version: 1},
		New:      func(*channel.Channel, protocol.Node) (protocol.Protocol, error) { return nil, nil },
	}
}

func next[T any](t *testing.T, from <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		t.Fatalf("no %s within %v", what, patience)
	}
	return v
}
