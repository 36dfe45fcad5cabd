package lilith

import (
	"slices"
	"testing"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"dchat/modules/settingsfx"
	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a network inside this process, with both transports that a seed tries.
func memory() transport.Set {
	mem := transport.NewMem()
	return transport.Set{addr.TCP: mem, addr.TCPTLS: mem}
}

// loadText loads a file, in which the networks keep nothing on disk.
func loadText(t *testing.T, toml string) *settingsfx.LoadedLilith {
	t.Helper()
	loaded, err := settingsfx.LoadLilith(invoke(t).WithFile(t, toml).Source(t, settingsfx.LilithFlags))
	if err != nil {
		t.Fatal(err)
	}
	for n := range loaded.Networks {
		loaded.Networks[n].P2P.Datastore, loaded.Networks[n].P2P.Hostlist = "", ""
	}
	return loaded
}

// startSeeds starts the nodes of the networks of a file, without JSON-RPC: their time can be
// virtual. It returns them in the order of their names.
func startSeeds(t *testing.T, set transport.Set, log *zap.Logger, toml string) ([]seed, *fxtest.App) {
	t.Helper()
	var started struct {
		fx.In

		Seeds []seed `group:"seeds"`
	}
	options := []fx.Option{fx.Supply(set, log), fx.Populate(&started)}
	for _, n := range loadText(t, toml).Networks {
		options = append(options, network(n))
	}
	app := fxtest.New(t, options...)
	app.RequireStart()
	slices.SortFunc(started.Seeds, byName)
	return started.Seeds, app
}

// startNode starts a node that listens, and stops it with stop.
func startNode(t *testing.T, set transport.Set, change func(*p2p.Settings)) *p2p.P2p {
	t.Helper()
	settings := p2p.DefaultSettings()
	settings.Localnet = true
	change(&settings)
	node, err := p2p.New(settings, p2p.WithTransports(set))
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return node
}
