//go:build unix

package p2pfx_test

import (
	"context"
	"net"
	"slices"
	"testing"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"dchat/modules/p2pfx"
	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/transport"
	"dchat/p2p/transport/transporttest"
)

// mirror is a way to connect that the module knows nothing of: over TCP, with every bit
// turned over.
type mirror struct{}

func (mirror) Dial(ctx context.Context, a addr.Addr) (transport.Conn, error) {
	if _, ok := a.Port(); !ok {
		return nil, &transport.Error{Op: "dial", Addr: a, Err: transport.ErrNoPort}
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", a.HostPort())
	if err != nil {
		return nil, &transport.Error{Op: "dial", Addr: a, Err: err}
	}
	return mirrorConn{conn, a}, nil
}

func (mirror) Listen(ctx context.Context, a addr.Addr) (transport.Listener, error) {
	if _, ok := a.Port(); !ok {
		return nil, &transport.Error{Op: "listen on", Addr: a, Err: transport.ErrNoPort}
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", a.HostPort())
	if err != nil {
		return nil, &transport.Error{Op: "listen on", Addr: a, Err: err}
	}
	bound, _ := a.WithPort(l.Addr().(*net.TCPAddr).AddrPort().Port())
	return mirrorListener{l, bound}, nil
}

type mirrorListener struct {
	net.Listener
	addr addr.Addr
}

func (l mirrorListener) Addr() addr.Addr { return l.addr }

func (l mirrorListener) Accept() (transport.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return mirrorConn{conn, addr.FromIP(l.addr.Scheme(), conn.RemoteAddr().(*net.TCPAddr).AddrPort())}, nil
}

type mirrorConn struct {
	net.Conn
	peer addr.Addr
}

func (c mirrorConn) Peer() addr.Addr             { return c.peer }
func (c mirrorConn) CloseWrite() error           { return c.Conn.(*net.TCPConn).CloseWrite() }
func (c mirrorConn) Write(b []byte) (int, error) { return c.Conn.Write(turned(slices.Clone(b))) }

func (c mirrorConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	turned(b[:n])
	return n, err
}

func turned(b []byte) []byte {
	for i := range b {
		b[i] = ^b[i]
	}
	return b
}

func TestATransportFromOutsideConforms(t *testing.T) {
	transporttest.Run(t, func(t *testing.T) transporttest.Subject {
		return transporttest.Subject{
			Transport: mirror{},
			Listen:    addr.MustParse("mirror://127.0.0.1:0"),
			Stalled: func(t *testing.T) addr.Addr {
				return addr.MustParse("mirror://" + transporttest.StalledTCP(t, "127.0.0.1:0"))
			},
		}
	})
}

func TestTransportsInTheGroupAreThoseOfTheNode(t *testing.T) {
	start := func(change func(*p2p.Settings)) (node *p2p.P2p) {
		settings := p2p.DefaultSettings()
		settings.Localnet = true
		settings.ActiveProfiles = []string{"mirror"}
		change(&settings)
		app := fxtest.New(t, p2pfx.Module, fx.Supply(settings), fx.Populate(&node),
			fx.Provide(fx.Annotate(func() transport.Named { return transport.Named{Scheme: "mirror", Transport: mirror{}} }, fx.ResultTags(`group:"transports"`))))
		app.RequireStart()
		t.Cleanup(app.RequireStop)
		return node
	}
	listening := start(func(s *p2p.Settings) { s.Inbound = []addr.Addr{addr.MustParse("mirror://127.0.0.1:0")} })
	dialling := start(func(s *p2p.Settings) { s.Peers = listening.Addrs() })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for name, node := range map[string]*p2p.P2p{"listening": listening, "dialling": dialling} {
		if err := node.Connected(ctx, 1); err != nil {
			t.Fatalf("the %s node: %v", name, err)
		}
		if got := node.Channels()[0].Addr().Scheme(); got != "mirror" {
			t.Errorf("the %s node is connected over %s", name, got)
		}
	}
}
