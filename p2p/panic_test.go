package p2p_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"go.uber.org/zap"

	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/protocol"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// bomb is a protocol whose handlers panic: that of "boom" on the channel's
// reader, that of "slow boom" on a goroutine of its own.
func bomb() protocol.Registration {
	return protocol.Registration{
		Name: "bomb", Sessions: channel.Default,
		New: func(ch *channel.Channel, _ protocol.Node) (protocol.Protocol, error) {
			handle := func([]byte) error { panic("boom") }
			return nil, errors.Join(
				ch.Subscribe(channel.Subscription{Spec: wire.Spec{Command: "boom"}, Handle: handle}),
				ch.Subscribe(channel.Subscription{Spec: wire.Spec{Command: "slow boom"}, Handle: handle, Queue: 10}),
			)
		},
	}
}

// faulty is a network whose transport has a bug, which the first peer that connects finds.
type faulty struct{ transport.Transport }

func (f faulty) Listen(ctx context.Context, a addr.Addr) (transport.Listener, error) {
	l, err := f.Transport.Listen(ctx, a)
	return &faultyListener{Listener: l}, err
}

type faultyListener struct {
	transport.Listener
	accepted bool
}

func (l *faultyListener) Accept() (transport.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil || l.accepted {
		return conn, err
	}
	l.accepted = true
	return faultyConn{conn}, nil
}

type faultyConn struct{ transport.Conn }

func (faultyConn) Handshake(context.Context) error { panic("oh") }

func TestL8APanicOfATransportBeforeThereIsAChannelEndsThatConnectionOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, transport.Set{addr.TCP: faulty{memory()[addr.TCP]}})
		conn, err := n.set.Dial(t.Context(), n.Addrs()[0])
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("the connection goes on")
		}
		n.greeted().Alive()
		if n.logs.FilterLevelExact(zap.ErrorLevel).Len() != 1 {
			t.Error("nothing in the log")
		}
	})
}

func TestL8APanicInAHandlerEndsThatChannelOnly(t *testing.T) {
	n := newNode(t, transport.Default())
	n.register(bomb())
	n.start()
	neighbour := n.greeted()
	kept := n.channel()
	for _, command := range []string{"boom", "slow boom"} {
		p := n.greeted()
		p.Write(p.RawFrame(command, nil))
		err := reason(t, n.channel())
		var panicked *channel.PanicError
		if !errors.As(err, &panicked) || panicked.Command != command || panicked.Value != "boom" || offence(err) != 0 {
			t.Errorf("%s: the channel ended with %v, want a PanicError and no offence", command, err)
		}
		p.Closed()
		p.Close(false)
	}
	neighbour.Alive()
	if err := kept.Err(); err != nil {
		t.Errorf("the neighbour's channel ended with %v", err)
	}
	logged := n.logs.FilterLevelExact(zap.ErrorLevel)
	if logged.Len() != 2 {
		t.Errorf("%d errors were logged, want one for each panic", logged.Len())
	}
}

func TestAProtocolThatFailsEndsItsChannelOnly(t *testing.T) {
	errRefused := errors.New("refused")
	for name, fails := range map[string]func(*channel.Channel) (protocol.Protocol, error){
		"when it is made":   func(*channel.Channel) (protocol.Protocol, error) { return nil, errRefused },
		"when it is to run": func(*channel.Channel) (protocol.Protocol, error) { return failing{errRefused}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, transport.Default())
			n.register(protocol.Registration{Name: "zz fails", Sessions: channel.Default,
				New: func(ch *channel.Channel, _ protocol.Node) (protocol.Protocol, error) { return fails(ch) }})
			n.start()
			p := n.dial()
			_ = p.TryWrite(append(p.Frame(&p.Version), p.Frame(&p.Verack)...)) // the node may close before it has all
			p.Closed()
			p.Close(false)
			wantReason(t, n.channel(), errRefused)
			eventually(t, "no peer is listed", func() bool { return len(n.Channels()) == 0 })
		})
	}
}

// failing is a protocol that cannot be started.
type failing struct{ err error }

func (f failing) Start() error { return f.err }
