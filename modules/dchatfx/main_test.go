package dchatfx_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/goleak"

	"dchat/chat"
	"dchat/chat/rpc"
	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/transport"
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

// at is a node that listens at an address.
func at(listen addr.Addr) p2p.Settings {
	s := p2p.DefaultSettings()
	s.Inbound = []addr.Addr{listen}
	return s
}

// to is a node that connects to these addresses.
func to(peers ...addr.Addr) p2p.Settings {
	s := p2p.DefaultSettings()
	s.Peers = peers
	return s
}

// wantText waits for the next text, and checks which it is.
func wantText(t *testing.T, sub *chat.Subscription, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	e, _, err := sub.Next(ctx)
	if err != nil || e.Text != text {
		t.Errorf("the next text is %q (%v), want %q", e.Text, err, text)
	}
}

// say sends a text as soon as there is a peer.
func say(t *testing.T, d *chat.Dchat, text string) {
	t.Helper()
	deadline := time.After(patience)
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for len(d.P2p().Channels()) == 0 {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("nobody has connected within %v", patience)
		}
	}
	if _, err := d.Send(t.Context(), text); err != nil {
		t.Errorf("%q: %v", text, err)
	}
}

// methods is what an RPC server would be made of.
type methods struct {
	fx.In

	Methods []rpc.Methods `group:"rpc methods"`
}
