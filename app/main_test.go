package app

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/goleak"

	"dchat/app/internal/apptest"
	"dchat/app/internal/daemon"
	"dchat/chat"
	"dchat/chat/jsonrpc"
	"dchat/modules/logfx"
	"dchat/modules/rpcfx"
	"dchat/modules/settingsfx"
	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// asDaemon in the environment makes the program of the tests one that is dchatd.
const asDaemon = "TEST_AS_DCHATD=1"

func TestMain(m *testing.M) {
	if slices.Contains(os.Environ(), asDaemon) {
		os.Exit(Run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

var alice = addr.MustParse("tcp://alice:1000")

// memory is a network inside this process.
func memory() transport.Set { return transport.Set{addr.TCP: transport.NewMem()} }

// at is a node that listens at an address.
func at(listen addr.Addr) p2p.Settings {
	s := p2p.DefaultSettings()
	s.Inbound = []addr.Addr{listen}
	return s
}

// configured is a configuration as it is after loading.
func configured(node p2p.Settings) *settingsfx.Loaded {
	return &settingsfx.Loaded{
		P2P:  node,
		Chat: chat.DefaultSettings(),
		RPC:  rpcfx.Settings{Listen: addr.MustParse("tcp://127.0.0.1:0")},
		Log:  logfx.DefaultSettings(),
	}
}

// wantInOrder checks that all texts were written, one after the other.
func wantInOrder(t *testing.T, o *apptest.Output, texts ...string) {
	t.Helper()
	rest := o.String()
	for _, text := range texts {
		_, after, ok := strings.Cut(rest, text)
		if !ok {
			t.Fatalf("%q is missing or out of order in:\n%s", text, o)
		}
		rest = after
	}
}

// process is a daemon that runs in this process.
type process struct {
	*apptest.Running
	node    *p2p.P2p
	server  *jsonrpc.Server
	t       *testing.T
	log     *apptest.Output
	started chan struct{} // closed when all of it has started
	exits   chan int      // of the process as a whole, where it would end at once
	err     error         // that it ended with
}

// launch runs a daemon with options on top of it, over an in-memory network.
func launch(t *testing.T, set transport.Set, options ...fx.Option) *process {
	t.Helper()
	return launchWith(t, configured(at(alice)), fx.Supply(set), fx.Options(options...))
}

// launchWith runs a daemon with a configuration.
func launchWith(t *testing.T, loaded *settingsfx.Loaded, options ...fx.Option) *process {
	t.Helper()
	p := &process{t: t, log: apptest.NewOutput(), started: make(chan struct{}), exits: make(chan int, 1)}
	last := onStart(func(context.Context) error {
		close(p.started)
		return nil
	})
	d, err := daemon.New(Options(loaded), daemon.LogTo(p.log), fx.Populate(&p.node, &p.server), fx.Options(options...), last)
	if err != nil {
		t.Fatal(err)
	}
	d.Exit = func(code int) { p.exits <- code }
	p.Running = apptest.Start(t, nil, p.log, func(ctx context.Context) (code int) {
		ctx, release := daemon.UntilSignal(ctx)
		defer release()
		if code, p.err = d.Run(ctx); p.err != nil {
			fmt.Fprintln(p.log, p.err)
		}
		return code
	})
	return p
}

// waitStarted waits until all of it has started, and it listens: what ends a start before that, undoes it.
func (p *process) waitStarted() {
	p.t.Helper()
	select {
	case <-p.started:
	case <-time.After(apptest.Patience):
		p.t.Fatalf("not started:\n%s", p.log)
	}
	p.log.WaitFor(p.t, "p2p: Listening")
}

// onStart and onStop make options of hooks that come behind all others.
func onStart(f func(context.Context) error) fx.Option {
	return fx.Invoke(func(lc fx.Lifecycle) { lc.Append(fx.Hook{OnStart: f}) })
}

func onStop(f func(context.Context) error) fx.Option {
	return fx.Invoke(func(lc fx.Lifecycle) { lc.Append(fx.Hook{OnStop: f}) })
}
