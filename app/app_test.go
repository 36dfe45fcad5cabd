package app

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"dchat/app/internal/apptest"
	"dchat/app/internal/daemon"
	"dchat/chat"
	"dchat/modules/rpcfx"
	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

func TestOptionsAreComplete(t *testing.T) {
	if err := fx.ValidateApp(Options(configured(at(alice)))); err != nil {
		t.Error(err)
	}
}

// start starts a whole node with settings of its own, which is stopped with the test.
func start(t *testing.T, settings p2p.Settings, set transport.Set) *chat.Dchat {
	t.Helper()
	var d *chat.Dchat
	app := fxtest.New(t,
		Options(configured(p2p.Settings{})), // nothing comes of these settings
		fx.Replace(settings, zap.NewNop()),
		fx.Supply(set),
		fx.Populate(&d),
	)
	app.RequireStart()
	t.Cleanup(app.RequireStop)
	return d
}

func TestTwoWholeNodesTalkInMemory(t *testing.T) {
	set := memory()
	to := p2p.DefaultSettings()
	to.Peers = []addr.Addr{alice}
	listener, dialer := start(t, at(alice), set), start(t, to, set)
	ctx, cancel := context.WithTimeout(t.Context(), apptest.Patience)
	defer cancel()

	heard, answered := listener.History().Subscribe(), dialer.History().Subscribe()
	for range time.Tick(time.Millisecond) { // until they are connected
		if _, err := dialer.Send(ctx, "hello"); err == nil {
			break
		} else if !errors.Is(err, chat.ErrNoPeers) {
			t.Fatal(err)
		}
	}
	if e, _, err := heard.Next(ctx); err != nil || e.Text != "hello" {
		t.Fatalf("heard %q, %v", e.Text, err)
	}
	if _, err := listener.Send(ctx, "hello yourself"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"hello", "hello yourself"} {
		if e, _, err := answered.Next(ctx); err != nil || e.Text != want {
			t.Errorf("the history goes on with %q (%v), want %q", e.Text, err, want)
		}
	}
}

func TestWhatFxDoesIsLoggedAtDebugOnly(t *testing.T) {
	for name, failure := range map[string]error{"good start": nil, "failed start": errors.New("broken")} {
		t.Run(name, func(t *testing.T) {
			seen, lines := observer.New(zapcore.DebugLevel)
			begun := make(chan struct{})
			p := launch(t, memory(), fx.Replace(zap.New(seen)), onStart(func(context.Context) error {
				close(begun)
				return failure
			}))
			<-begun
			p.End()
			p.Wait()
			fxs := lines.Filter(func(e observer.LoggedEntry) bool { return e.LoggerName == "fx" })
			if loud := fxs.Filter(func(e observer.LoggedEntry) bool { return e.Level > zapcore.DebugLevel }); loud.Len() > 0 || fxs.Len() == 0 {
				t.Errorf("of %d lines of fx these are above debug: %v", fxs.Len(), loud.All())
			}
		})
	}
}

func TestASettingThatNoPartTakesFailsTheDaemon(t *testing.T) {
	loaded := configured(at(alice))
	loaded.RPC = rpcfx.Settings{Listen: addr.MustParse("quic://127.0.0.1:1")}
	_, err := daemon.New(Options(loaded))
	if err == nil {
		t.Fatal("taken")
	}
	if got, want := explain(err, loaded), "JSON-RPC: cannot listen on quic://127.0.0.1:1: want tcp://, unix:// or http+tcp://"; got != want {
		t.Errorf("it says %q\nwant %q", got, want)
	}
}
