package p2pfx_test

import (
	"slices"
	"strings"
	"testing"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"dchat/modules/p2pfx"
	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/p2ptest"
	"dchat/p2p/protocol"
	"dchat/p2p/transport"
)

// private adds a protocol to one node only.
func private(reg protocol.Registration) fx.Option {
	return fx.Provide(fx.Private, fx.Annotate(func() protocol.Registration { return reg }, fx.ResultTags(`group:"protocols"`)))
}

// shared adds a protocol to every node of the application.
func shared(reg protocol.Registration) fx.Option {
	return fx.Supply(fx.Annotate(reg, fx.ResultTags(`group:"protocols"`)))
}

type both struct {
	fx.In

	Alice *p2p.P2p `name:"alice"`
	Bob   *p2p.P2p `name:"bob"`
}

// wantNode checks who listens at an address and what protocols it has.
func wantNode(t *testing.T, set transport.Set, a addr.Addr, protocols ...string) {
	t.Helper()
	peer := p2ptest.Dial(t, set, a)
	version := peer.Handshake()
	peer.Close(false)
	var got []string
	for _, f := range version.Features {
		if strings.HasPrefix(f.Name, "conn:") { // by which a node knows itself
			continue
		}
		got = append(got, f.Name)
	}
	if version.NodeID != a.Hostname() || !slices.Equal(got, protocols) {
		t.Errorf("at %v is %q with %q, want %q with %q", a, version.NodeID, got, a.Hostname(), protocols)
	}
}

func TestTwoNetworksInOneApplicationShareOnlyWhatIsAtTheRoot(t *testing.T) {
	set := memory()
	var nodes both
	app := fxtest.New(t,
		fx.Supply(set),
		shared(silent("for all")),
		p2pfx.Named("alice", fx.Supply(fx.Private, at(alice)), private(silent("alice's"))),
		p2pfx.Named("bob", fx.Supply(fx.Private, at(bob)), private(silent("bob's"))),
		fx.Invoke(func(b both) { nodes = b }),
	)
	app.RequireStart()
	wantNode(t, set, alice, "alice's", "for all")
	wantNode(t, set, bob, "bob's", "for all")
	app.RequireStop()
	if nodes.Alice == nodes.Bob || nodes.Alice.State() != p2p.Stopped || nodes.Bob.State() != p2p.Stopped {
		t.Errorf("the nodes are the same: %v; %v and %v", nodes.Alice == nodes.Bob, nodes.Alice.State(), nodes.Bob.State())
	}
}

func TestANamedNodeStandsBesideTheOneWithoutAName(t *testing.T) {
	set := memory()
	var node *p2p.P2p
	app := fxtest.New(t,
		fx.Supply(set, at(alice)),
		p2pfx.Module,
		p2pfx.Named("bob", fx.Supply(fx.Private, at(bob)), private(silent("bob's"))),
		fx.Populate(&node),
		fx.Invoke(fx.Annotate(func(*p2p.P2p) {}, fx.ParamTags(`name:"bob"`))),
	)
	app.RequireStart()
	wantNode(t, set, alice)
	wantNode(t, set, bob, "bob's")
	app.RequireStop()
}

func TestANamedNodeThatNobodyAsksForIsNotMade(t *testing.T) {
	fxtest.New(t, p2pfx.Named("nobody", fx.Supply(fx.Private, p2p.Settings{}))).RequireStart().RequireStop()
}

func TestOneNetworkThatDoesNotStartStopsTheOther(t *testing.T) {
	set := memory()
	taken, err := set.Listen(t.Context(), bob)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	app := fx.New(
		fx.Supply(set),
		p2pfx.Named("alice", fx.Supply(fx.Private, at(alice))),
		p2pfx.Named("bob", fx.Supply(fx.Private, at(bob))),
		fx.Invoke(func(both) {}), fx.NopLogger,
	)
	if app.Start(t.Context()) == nil {
		t.Error("it starts where an address is in use")
	}
	unreachable(t, set, alice)
}
