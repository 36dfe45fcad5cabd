package lilith

import (
	"context"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/fx"
	"go.uber.org/zap"

	"dchat/app/internal/apptest"
	"dchat/app/internal/daemon"
	"dchat/modules/settingsfx"
	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// base begins each file: it is in nobody's way.
const base = "[rpc]\nrpc_listen = \"tcp://127.0.0.1:0\"\n"

// one and other are networks that listen at these addresses, and keep nothing.
const (
	one   = "[network.one]\nlocalnet = true\nhostlist = \"\"\ndatastore = \"\"\naccept_addrs = [\"tcp://127.0.0.1:1000\"]\n"
	other = "[network.other]\nlocalnet = true\nhostlist = \"\"\ndatastore = \"\"\naccept_addrs = [\"tcp://127.0.0.1:2000\"]\n"
)

// reloadable is a daemon with a configuration file, over an in-memory network.
type reloadable struct {
	*apptest.Running
	t       *testing.T
	file    *apptest.Invocation
	hangups chan os.Signal
	seeds   map[string]*p2p.P2p
}

func startReloadable(t *testing.T, text string) *reloadable {
	t.Helper()
	r := &reloadable{t: t, file: invoke(t).WithFile(t, text), hangups: make(chan os.Signal, 1), seeds: make(map[string]*p2p.P2p)}
	loaded, err := settingsfx.LoadLilith(r.file.Source(t, settingsfx.LilithFlags))
	if err != nil {
		t.Fatal(err)
	}
	var started struct {
		fx.In

		Seeds []seed `group:"seeds"`
	}
	log := apptest.NewOutput()
	d, err := daemon.New(Options(loaded), daemon.LogTo(log), fx.Supply(memory(), daemon.Hangups(r.hangups)), fx.Populate(&started))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range started.Seeds {
		r.seeds[s.name] = s.node
	}
	r.Running = apptest.Start(t, nil, log, func(ctx context.Context) int {
		code, err := d.Run(ctx)
		if err != nil {
			t.Error(err)
		}
		return code
	})
	return r
}

// reload writes the file anew and asks for a reload, which ends with this line in the log.
func (r *reloadable) reload(text, line string) {
	r.t.Helper()
	if err := os.WriteFile(r.file.File(), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.hangups <- syscall.SIGHUP
	r.Stderr.WaitFor(r.t, line)
}

// wantPeers checks the configured seeds and peers of a network.
func (r *reloadable) wantPeers(network string, seeds, peers []addr.Addr) {
	r.t.Helper()
	if s := r.seeds[network].Settings(); !slices.Equal(s.Seeds, seeds) || !slices.Equal(s.Peers, peers) {
		r.t.Errorf("the network %s has the seeds %v and the peers %v, want %v and %v", network, s.Seeds, s.Peers, seeds, peers)
	}
}

func addrs(texts ...string) (all []addr.Addr) {
	for _, text := range texts {
		all = append(all, addr.MustParse(text))
	}
	return all
}

func TestReloadAppliesWhatCanBeAppliedAndNamesTheRest(t *testing.T) {
	r := startReloadable(t, base+one+"seeds = [\"tcp://127.0.0.1:1\"]\n"+other)
	r.wantPeers("one", addrs("tcp://127.0.0.1:1"), nil)
	r.reload(
		base+one+"app_name = \"two\"\nseeds = [\"tcp://127.0.0.1:2\"]\npeers = [\"tcp://127.0.0.1:3\"]\n"+
			other+"[network.peers]\naccept_addrs = [\"tcp://127.0.0.1:3000\"]\nlocalnet = true\n[log]\nlevel = \"debug\"\n",
		`applied="log.level, network.one.seeds, network.one.peers" needs_restart="network.one.app_name, network.peers"`)
	r.wantPeers("one", addrs("tcp://127.0.0.1:2"), addrs("tcp://127.0.0.1:3"))
	r.wantPeers("other", nil, nil)

	// What waits, waits on; what has been applied has not changed again. The network that has gone
	// is served until the restart.
	r.reload(
		base+one+"app_name = \"two\"\nseeds = [\"tcp://127.0.0.1:2\"]\npeers = [\"tcp://127.0.0.1:4\"]\n[log]\nlevel = \"debug\"\n",
		`applied=network.one.peers needs_restart="network.one.app_name, network.other"`)
	r.wantPeers("one", addrs("tcp://127.0.0.1:2"), addrs("tcp://127.0.0.1:4"))
	if state := r.seeds["other"].State(); state != p2p.Running {
		t.Errorf("the network that has gone from the file is %v", state)
	}
}

func TestAFileWithAFaultChangesNothing(t *testing.T) {
	r := startReloadable(t, base+one+other)
	for text, why := range map[string]string{
		base + one + "seeds = [\"tcp://127.0.0.1:2\"]\npears = []\n" + other: "network.one.pears: unknown key; the nearest known one is network.one.peers",
		"[network": "not TOML: ",
		// The settings are right, and the transports of this daemon do not include QUIC.
		base + one + "seeds = [\"tcp://127.0.0.1:2\"]\n" + strings.Replace(other, "tcp:", "quic:", 1): `listen on one of tcp, tcp+tls`,
	} {
		r.reload(text+"\n[log]\nlevel = \"debug\"\n", why)
		r.wantPeers("one", nil, nil)
	}
	if n := strings.Count(r.Stderr.String(), "ERROR Configuration not reloaded, nothing has changed reason="); n != 3 {
		t.Errorf("%d lines say that nothing has changed:\n%s", n, r.Stderr)
	}
	r.End()
	r.WantExit(0)
	if strings.Contains(r.Stderr.String(), "DEBUG") {
		t.Error("the level of the log has changed")
	}
}

func TestNodesWhoseReloadIsUndoneHaveWhatTheyHad(t *testing.T) {
	set := transport.Set{addr.TCP: transport.NewMem()}
	seeds, app := startSeeds(t, set, zap.NewNop(), base+one+other)
	defer app.RequireStop()
	networks := loadText(t, base+one+"peers = [\"tcp://127.0.0.1:2\"]\n"+strings.Replace(other, "tcp:", "quic:", 1)).Networks
	if err := reload(seeds, networks); err == nil {
		t.Fatal("taken")
	}
	for _, s := range seeds {
		if peers := s.node.Settings().Peers; len(peers) > 0 {
			t.Errorf("the network %s has the peers %v", s.name, peers)
		}
	}
}
