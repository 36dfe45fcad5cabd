package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"dchat/app/internal/apptest"
	"dchat/app/internal/daemon"
	"dchat/chat/jsonrpc"
	"dchat/chat/rpc"
	"dchat/modules/settingsfx"
	"dchat/p2p"
	"dchat/p2p/addr"
)

// reloadable is a daemon with a configuration file, which runs in this process as
// dchatd does.
type reloadable struct {
	t    *testing.T
	file string
	log  *apptest.Output
	rpc  *jsonrpc.Client
}

// base is the beginning of each file: a node that the rest of the machine is not
// disturbed by.
const base = "[rpc]\nrpc_listen = \"tcp://127.0.0.1:0\"\n[net]\nactive_profiles = [\"tcp\"]\nlocalnet = true\n"

// table ends each file.
const table = "[net.profiles.tcp]\n"

// startReloadable starts it with these lines in the table of the network.
func startReloadable(t *testing.T, net string) *reloadable {
	t.Helper()
	i := dchatd(t).WithFile(t, base+net+table)
	p := i.Start(t)
	t.Cleanup(func() {
		p.End()
		p.WantExit(0)
	})
	r := &reloadable{t: t, file: i.File(), log: p.Stderr}
	const listening = "rpc: Listening"
	r.log.WaitFor(t, "Starting P2P network")
	r.log.WaitFor(t, listening)
	_, line, _ := strings.Cut(r.log.String(), listening)
	_, line, _ = strings.Cut(line, "tcp://")
	client, err := jsonrpc.Dial(t.Context(), addr.MustParse("tcp://"+strings.FieldsFunc(line, func(c rune) bool { return strings.ContainsRune("/ \n\"", c) })[0]))
	if err != nil {
		t.Fatal(err)
	}
	r.rpc = client
	t.Cleanup(func() { _ = client.Close() })
	return r
}

// write replaces the file as an editor does, whole.
func (r *reloadable) write(text string) {
	r.t.Helper()
	err := os.WriteFile(r.file+".new", []byte(text), 0o600)
	if err = errors.Join(err, os.Rename(r.file+".new", r.file)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *reloadable) reload() (result rpc.Reloaded, err error) {
	err = r.rpc.Call(r.t.Context(), "p2p.reload", nil, &result)
	return result, err
}

// slots is how many outbound slots the node has.
func (r *reloadable) slots() int {
	r.t.Helper()
	var info rpc.Info
	if err := r.rpc.Call(r.t.Context(), "p2p.get_info", nil, &info); err != nil {
		r.t.Fatal(err)
	}
	return len(info.OutboundSlots)
}

// hangUp sends a SIGHUP to this process, and waits until it has come: one that comes
// when the daemon takes it no more would kill the test.
func hangUp(t *testing.T) {
	t.Helper()
	came := make(chan os.Signal, 1)
	signal.Notify(came, syscall.SIGHUP)
	defer signal.Stop(came)
	signalSelf(t, syscall.SIGHUP)
	<-came
}

// friend is a node to connect to.
func friend(t *testing.T) (*p2p.P2p, string) {
	t.Helper()
	s := p2p.DefaultSettings()
	s.Inbound, s.OutboundConnections, s.Localnet = []addr.Addr{addr.MustParse("tcp://127.0.0.1:0")}, 0, true
	node, err := p2p.New(s)
	if err = errors.Join(err, node.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return node, strings.TrimSuffix(node.Addrs()[0].String(), "/")
}

// wantPeers waits until a node has so many.
func wantPeers(t *testing.T, node *p2p.P2p, n int) {
	t.Helper()
	deadline := time.After(apptest.Patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for len(node.Channels()) != n {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%d peers, want %d", len(node.Channels()), n)
		}
	}
}

func TestReloadAppliesWhatCanBeAppliedToARunningDaemon(t *testing.T) {
	for name, ask := range map[string]func(*reloadable){
		"by SIGHUP": func(r *reloadable) { hangUp(r.t) },
		"by p2p.reload": func(r *reloadable) {
			got, err := r.reload()
			want := rpc.Reloaded{
				Applied: []string{"net.outbound_connections", "net.peers", "log.level"},
				Restart: []string{"net.node_id", "net.profiles.tcp.channel_heartbeat_interval"},
			}
			if fmt.Sprint(got) != fmt.Sprint(want) || err != nil {
				r.t.Errorf("got %+v, %v, want %+v", got, err, want)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			one, atOne := friend(t)
			two, atTwo := friend(t)
			r := startReloadable(t, "outbound_connections = 0\npeers = [\""+atOne+"\"]\n")
			wantPeers(t, one, 1)
			if n := r.slots(); n != 0 {
				t.Fatalf("%d slots, want none", n)
			}
			r.write(base + "outbound_connections = 4\nnode_id = \"me\"\npeers = [\"" + atTwo + "\"]\n" + table + "channel_heartbeat_interval = 9\n[log]\nlevel = \"debug\"\n")
			ask(r)
			wantPeers(t, one, 0)
			wantPeers(t, two, 1)
			r.log.WaitFor(t, "Configuration reloaded")
			r.log.WaitFor(t, `applied="net.outbound_connections, net.peers, log.level"`)
			r.log.WaitFor(t, `needs_restart="net.node_id, net.profiles.tcp.channel_heartbeat_interval"`)
			r.log.WaitFor(t, "DEBUG")
			if n := r.slots(); n != 4 {
				t.Errorf("%d slots, want 4", n)
			}

			// What waits, waits on; what has been applied has not changed again.
			if got, err := r.reload(); len(got.Applied) > 0 || len(got.Restart) != 2 || err != nil {
				t.Errorf("the same again: %+v, %v", got, err)
			}
		})
	}
}

func TestReloadLeavesAPeerThatIsBlacklisted(t *testing.T) {
	one, atOne := friend(t)
	r := startReloadable(t, "peers = [\""+atOne+"\"]\n")
	wantPeers(t, one, 1)
	r.write(base + "peers = [\"" + atOne + "\"]\nblacklist = [[\"127.0.0.1\", [\"tcp\"], []]]\n" + table)
	if got, err := r.reload(); len(got.Applied) != 1 || got.Applied[0] != "net.blacklist" || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	wantPeers(t, one, 0)
}

func TestAFileWithAFaultChangesNothing(t *testing.T) {
	one, atOne := friend(t)
	r := startReloadable(t, "outbound_connections = 2\npeers = [\""+atOne+"\"]\n")
	wantPeers(t, one, 1)
	r.write(base + "outbound_connections = 4\npeers = []\noutbound_slots = 3\nban_time = 0\n" + table + "[log]\nlevel = \"debug\"\n")
	hangUp(t)
	r.log.WaitFor(t, "Configuration not reloaded, nothing has changed")
	r.log.WaitFor(t, "test.toml:8: net.outbound_slots: unknown key")
	_, err := r.reload()
	answer := (*jsonrpc.Error)(nil)
	if !errors.As(err, &answer) || answer.Code != rpc.CodeConfig {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{
		r.file + ":8: net.outbound_slots: unknown key; the nearest known one is ",
		r.file + ":9: net.ban_time = 0: give a time from 1s to",
	} {
		if !strings.Contains(answer.Error(), want) {
			t.Errorf("it says\n%v\nwithout %q", answer, want)
		}
	}
	if n, peers := r.slots(), len(one.Channels()); n != 2 || peers != 1 {
		t.Errorf("%d slots and %d peers, want 2 and 1", n, peers)
	}
	if strings.Contains(r.log.String(), "DEBUG") {
		t.Error("the level of the log has changed")
	}

	r.write(base + "outbound_connections = 3\npeers = [\"" + atOne + "\"]\n" + table)
	if got, err := r.reload(); fmt.Sprint(got.Applied, got.Restart) != "[net.outbound_connections] []" || err != nil {
		t.Errorf("mended: %+v, %v", got, err)
	}
}

func TestTheLevelOfTheLogCanBeRaisedAndLowered(t *testing.T) {
	r := startReloadable(t, "")
	for _, level := range []string{"error", "debug"} {
		r.write(base + table + "[log]\nlevel = \"" + level + "\"\n")
		before := strings.Count(r.log.String(), "Configuration reloaded")
		if _, err := r.reload(); err != nil {
			t.Fatal(err)
		}
		if after := strings.Count(r.log.String(), "Configuration reloaded"); after != before+1 {
			t.Errorf("to %s: that it was reloaded is not logged", level)
		}
	}
}

// A file that is changed while the daemon starts is applied when it has started.
func TestAHangupDuringTheStartIsNotLost(t *testing.T) {
	i := dchatd(t).WithFile(t, base+"outbound_connections = 1\n"+table)
	loaded, err := settingsfx.Load(i.Source(t, settingsfx.Flags))
	if err != nil {
		t.Fatal(err)
	}
	hangups, release := daemon.TakeHangups()
	defer release()
	var node *p2p.P2p
	var level zap.AtomicLevel
	p := launchWith(t, loaded, fx.Supply(hangups), fx.Populate(&node, &level), onStart(func(context.Context) error {
		i.WithFile(t, base+"outbound_connections = 3\n[log]\nlevel = \"warn\"\n"+table)
		hangUp(t)
		return nil
	}))
	p.log.WaitFor(t, "Configuration reloaded")
	if s := node.Settings(); s.OutboundConnections != 3 {
		t.Errorf("%d slots, want 3", s.OutboundConnections)
	}
	for level.Level() != zapcore.WarnLevel { // set behind the line in the log
		if t.Context().Err() != nil {
			t.Fatal("the level of the log is not applied")
		}
	}
}

func TestAHangupDuringTheStopDoesNotKill(t *testing.T) {
	hangups, release := daemon.TakeHangups()
	defer release()
	started, stopping := make(chan struct{}), false
	p := launch(t, memory(), fx.Supply(hangups), fx.Invoke(func(lc fx.Lifecycle) {
		lc.Append(fx.StartStopHook(func() { close(started) }, func() {
			stopping = true
			for range 10 {
				hangUp(t)
			}
		}))
	}))
	<-started
	p.End()
	p.WantExit(0)
	if !stopping {
		t.Error("it was not stopped")
	}
}

func TestL6AProcessReloadsAtSIGHUPAndEndsAtSIGTERM(t *testing.T) {
	one, atOne := friend(t)
	r := &reloadable{t: t, file: filepath.Join(t.TempDir(), "test.toml"), log: apptest.NewOutput()}
	r.write(base + "hostlist = \"\"\n" + table)
	child := exec.CommandContext(t.Context(), os.Args[0], "--config", r.file) //nolint:gosec // this program
	child.Env, child.Stderr = []string{asDaemon}, r.log
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	send := func(sig syscall.Signal) {
		t.Helper()
		if err := child.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	r.log.WaitFor(t, "Starting P2P network")
	r.write(base + "hostlist = \"\"\npeers = [\"" + atOne + "\"]\n" + table)
	send(syscall.SIGHUP)
	wantPeers(t, one, 1)
	r.write("[net\n")
	send(syscall.SIGHUP)
	r.log.WaitFor(t, "test.toml:1: not TOML: ")
	if n := len(one.Channels()); n != 1 {
		t.Errorf("a broken file: %d peers, want 1", n)
	}
	send(syscall.SIGTERM)
	send(syscall.SIGHUP)
	if err := child.Wait(); err != nil {
		t.Errorf("it ends with %v:\n%s", err, r.log)
	}
}
