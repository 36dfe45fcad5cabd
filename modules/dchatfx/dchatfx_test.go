package dchatfx_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"dchat/chat"
	"dchat/modules/dchatfx"
	"dchat/modules/p2pfx"
	"dchat/p2p"
	"dchat/p2p/transport"
)

// start starts an application with a chat, which is stopped with the test.
func start(t *testing.T, settings p2p.Settings, set transport.Set, options ...fx.Option) *chat.Dchat {
	t.Helper()
	var d *chat.Dchat
	app := fxtest.New(t, p2pfx.Module, dchatfx.Module, fx.Supply(settings, set, chat.DefaultSettings()),
		fx.Options(options...), fx.Populate(&d))
	app.RequireStart()
	t.Cleanup(app.RequireStop)
	return d
}

func TestTwoApplicationsTalk(t *testing.T) {
	set := memory()
	listener := start(t, at(alice), set)
	dialer := start(t, to(alice), set)
	atListener, atDialer := listener.History().Subscribe(), dialer.History().Subscribe()
	say(t, dialer, "hello")
	wantText(t, atDialer, "hello")
	wantText(t, atListener, "hello")
	say(t, listener, "hello yourself")
	wantText(t, atDialer, "hello yourself")
}

func TestTheChatIsStartedAndStoppedWithItsNode(t *testing.T) {
	var d *chat.Dchat
	app := fxtest.New(t, p2pfx.Module, dchatfx.Module, fx.Supply(at(alice), memory(), chat.DefaultSettings()), fx.Populate(&d))
	for _, step := range []struct {
		do    func()
		state p2p.State
		err   error
	}{
		{func() {}, p2p.Created, p2p.ErrNotRunning},
		{func() { app.RequireStart() }, p2p.Running, chat.ErrNoPeers},
		{app.RequireStop, p2p.Stopped, p2p.ErrNotRunning},
	} {
		step.do()
		if _, err := d.Send(t.Context(), "hello"); d.P2p().State() != step.state || !errors.Is(err, step.err) {
			t.Errorf("the node is %v and sending gives %v, want %v and %v", d.P2p().State(), err, step.state, step.err)
		}
	}
}

func TestAnotherSizeOfHistory(t *testing.T) {
	set, small := memory(), chat.DefaultSettings()
	small.HistoryMessages = 1
	start(t, at(alice), set)
	d := start(t, to(alice), set, fx.Replace(small))
	say(t, d, "first")
	say(t, d, "second")
	if entries, dropped := d.History().After(0, 0); len(entries) != 1 || dropped != 1 {
		t.Errorf("%d texts are kept and %d dropped, want one each", len(entries), dropped)
	}
}

func TestAnotherChatTakesItsPlace(t *testing.T) {
	node, err := p2p.New(at(bob), p2p.WithTransports(memory()))
	if err != nil {
		t.Fatal(err)
	}
	other, err := chat.Join(node, chat.DefaultSettings())
	if err != nil {
		t.Fatal(err)
	}
	if d := start(t, at(alice), memory(), fx.Replace(other)); d != other || d.P2p().State() != p2p.Created {
		t.Errorf("it is the other chat: %v; its node is %v, want it left alone", d == other, d.P2p().State())
	}
}

func TestFaultyChatSettingsFailTheApplication(t *testing.T) {
	app := fx.New(p2pfx.Module, dchatfx.Module, fx.Supply(at(alice), chat.Settings{}), fx.Invoke(func(*chat.Dchat) {}), fx.NopLogger)
	if err := app.Err(); err == nil || !strings.Contains(err.Error(), "HistoryMessages is 0") {
		t.Errorf("error is %v, want one that names HistoryMessages", err)
	}
}

func TestAStartThatFailsLeavesTheNodeStopped(t *testing.T) {
	set := memory()
	start(t, at(alice), set)
	var d *chat.Dchat
	app := fx.New(p2pfx.Module, dchatfx.Module, fx.Supply(at(alice), set, chat.DefaultSettings()), fx.Populate(&d), fx.NopLogger)
	if err := app.Start(t.Context()); !errors.Is(err, syscall.EADDRINUSE) || d.P2p().State() != p2p.Stopped {
		t.Errorf("error is %v and the node %v, want the address in use and stopped", err, d.P2p().State())
	}
}

func TestItAddsTheMethodsOfTheChatAndOfItsNode(t *testing.T) {
	var names []string
	start(t, at(alice), memory(), fx.Invoke(func(m methods) {
		for _, some := range m.Methods {
			names = slices.AppendSeq(names, maps.Keys(some))
		}
	}))
	slices.Sort(names)
	want := []string{"chat.history", "chat.send", "chat.subscribe", "dnet.subscribe_events", "dnet.switch", "p2p.bans", "p2p.get_info", "p2p.peers", "p2p.slots", "p2p.unban", "ping", "recv", "send"}
	if !slices.Equal(names, want) {
		t.Errorf("methods are %q\nwant %q", names, want)
	}
}

func TestAChatOnOneOfSeveralNodesLeavesTheOthersAlone(t *testing.T) {
	set := memory()
	var d *chat.Dchat
	var other *p2p.P2p
	app := fxtest.New(t, fx.Supply(set, chat.DefaultSettings()),
		p2pfx.Named("alice", fx.Supply(fx.Private, at(alice))),
		p2pfx.Named("bob", fx.Supply(fx.Private, at(bob))),
		fx.Provide(fx.Annotate(chat.Join, fx.ParamTags(`name:"alice"`))),
		fx.Populate(&d), fx.Populate(fx.Annotate(&other, fx.ParamTags(`name:"bob"`))),
	)
	if err := other.Register(chat.Protocol(d.History())); err != nil {
		t.Errorf("the other node has the chat too: %v", err)
	}
	app.RequireStart()
	defer app.RequireStop()
	heard := d.History().Subscribe()
	say(t, start(t, to(alice), set), "for alice")
	wantText(t, heard, "for alice")
}
