package p2pfx_test

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"dchat/modules/p2pfx"
	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/protocol"
	"dchat/p2p/transport"
)

// unreachable checks that nobody listens at an address.
func unreachable(t *testing.T, set transport.Set, a addr.Addr) {
	t.Helper()
	conn, err := set.Dial(t.Context(), a)
	if err == nil {
		_ = conn.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dialling %v: %v, want that nobody listens", a, err)
	}
}

// record returns what an application may add to see the order of its hooks.
func record(events *[]string) fx.Option {
	return fx.Invoke(func(lc fx.Lifecycle) {
		lc.Append(fx.StartStopHook(func() { *events = append(*events, "start") }, func() { *events = append(*events, "stop") }))
	})
}

func TestTheNodeRunsFromStartToStopWithoutALogger(t *testing.T) {
	set := memory()
	var node *p2p.P2p
	app := fxtest.New(t, p2pfx.Module, fx.Supply(at(alice), set), fx.Populate(&node))
	if node.State() != p2p.Created {
		t.Errorf("before the start the node is %v", node.State())
	}
	unreachable(t, set, alice)
	for range 2 { // an application can be started again
		app.RequireStart()
		wantNode(t, set, alice)
		app.RequireStop()
		if node.State() != p2p.Stopped {
			t.Errorf("after the stop the node is %v", node.State())
		}
		unreachable(t, set, alice)
	}
}

func TestNothingIsMadeWhereNobodyAsksForTheNode(t *testing.T) {
	fxtest.New(t, p2pfx.Module, fx.Supply(p2p.Settings{})).RequireStart().RequireStop() // such settings make no node
}

func TestItLogsByTheLoggerOfTheApplication(t *testing.T) {
	seen, lines := observer.New(zapcore.InfoLevel)
	app := fxtest.New(t, p2pfx.Module, fx.Supply(at(alice), memory(), zap.New(seen)), fx.Invoke(func(*p2p.P2p) {}))
	app.RequireStart().RequireStop()
	started := lines.FilterMessage("Starting P2P network").All()
	if len(started) != 1 || started[0].LoggerName != "p2p" {
		t.Errorf("the log has %v, want the start of p2p", lines.All())
	}
}

func TestWhatItNeedsIsReplacedAtTheRoot(t *testing.T) {
	set := memory()
	seen, lines := observer.New(zapcore.InfoLevel)
	original := fx.Module("original", fx.Supply(at(bob), memory(), zap.NewNop()))
	var node *p2p.P2p
	app := fxtest.New(t, original, p2pfx.Module, fx.Replace(at(alice), set, zap.New(seen)), fx.Populate(&node))
	app.RequireStart()
	wantNode(t, set, alice)
	app.RequireStop()
	if lines.Len() == 0 {
		t.Error("the replaced logger got nothing")
	}
}

func TestAReplacedNodeIsNeitherMadeNorStarted(t *testing.T) {
	other, err := p2p.New(at(bob), p2p.WithTransports(memory()))
	if err != nil {
		t.Fatal(err)
	}
	var node *p2p.P2p
	app := fxtest.New(t, p2pfx.Module, fx.Supply(p2p.Settings{}), fx.Replace(other), fx.Populate(&node))
	app.RequireStart()
	if node != other || node.State() != p2p.Created {
		t.Errorf("the node is the other one: %v, and %v", node == other, node.State())
	}
	app.RequireStop()
}

func TestFaultySettingsFailTheApplication(t *testing.T) {
	settings := at(alice)
	settings.OutboundConnections = -1
	app := fx.New(p2pfx.Module, fx.Supply(settings), fx.Invoke(func(*p2p.P2p) {}), fx.NopLogger)
	var fault *p2p.SettingError
	if !errors.As(app.Err(), &fault) || fault.Field != "OutboundConnections" {
		t.Errorf("error is %v, want one about OutboundConnections", app.Err())
	}
}

func TestAnAddressInUseFailsTheStartAndLeavesNothing(t *testing.T) {
	set := memory()
	taken, err := set.Listen(t.Context(), bob)
	if err != nil {
		t.Fatal(err)
	}
	settings := at(alice)
	settings.Inbound = append(settings.Inbound, bob)
	var node *p2p.P2p
	var events []string
	app := fx.New(p2pfx.Module, record(&events), fx.Supply(settings, set), fx.Populate(&node), fx.NopLogger)

	err = app.Start(t.Context())
	var listen *transport.Error
	if !errors.Is(err, syscall.EADDRINUSE) || !errors.As(err, &listen) || listen.Addr != bob {
		t.Errorf("error is %v, want that %v is in use", err, bob)
	}
	if got := strings.Join(events, ","); got != "start,stop" || node.State() != p2p.Stopped {
		t.Errorf("the other part had %q and the node is %v, want both stopped", got, node.State())
	}
	unreachable(t, set, alice)

	if err := taken.Close(); err != nil { // and then the same application starts
		t.Fatal(err)
	}
	if err := errors.Join(app.Start(t.Context()), app.Stop(context.Background())); err != nil {
		t.Error(err)
	}
}

// lost is a transport on which listening takes for ever, as when a name server is silent.
type lost struct{ transport.Transport }

func (lost) Listen(ctx context.Context, a addr.Addr) (transport.Listener, error) {
	<-ctx.Done()
	return nil, &transport.Error{Op: "listen on", Addr: a, Err: ctx.Err()}
}

func TestAStartThatHangsIsToldAndUndoneInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []string
		app := fx.New(p2pfx.Module, record(&events), fx.Supply(at(alice), transport.Set{addr.TCP: lost{}}),
			fx.Invoke(func(*p2p.P2p) {}), fx.NopLogger)
		ctx, cancel := context.WithTimeout(t.Context(), app.StartTimeout())
		defer cancel()
		err := app.Start(ctx)
		if want := "cannot listen on tcp://alice:1000/: timed out"; err == nil || err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
		if got := strings.Join(events, ","); got != "start,stop" {
			t.Errorf("the other part had %q, want that it was stopped", got)
		}
	})
}

func TestProtocolsComeFromOtherModulesAndFromRegister(t *testing.T) {
	for name, add := range map[string]func(protocol.Registration) fx.Option{
		"group": func(reg protocol.Registration) fx.Option {
			return fx.Module("notes", fx.Supply(fx.Annotate(reg, fx.ResultTags(`group:"protocols"`))))
		},
		"register": func(reg protocol.Registration) fx.Option {
			return fx.Invoke(func(node *p2p.P2p) error { return node.Register(reg) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			set, theirs, ours := memory(), newNotes(), newNotes()
			listener := fxtest.New(t, p2pfx.Module, fx.Supply(at(alice), set), add(theirs.registration()), fx.Invoke(func(*p2p.P2p) {}))
			listener.RequireStart()
			defer listener.RequireStop()

			settings := p2p.DefaultSettings()
			settings.Peers = []addr.Addr{alice}
			var node *p2p.P2p
			dialer := fxtest.New(t, p2pfx.Module, fx.Supply(settings, set), add(ours.registration()), fx.Populate(&node))
			dialer.RequireStart()
			defer dialer.RequireStop()

			next(t, ours.met, "peer")
			if n, err := node.Broadcast(note{"hello"}); n != 1 || err != nil {
				t.Errorf("broadcast to %d peers, %v", n, err)
			}
			if got := next(t, theirs.got, "note"); got != "hello" {
				t.Errorf("the note says %q", got)
			}
		})
	}
}

func TestAProtocolThatIsThereTwiceFailsTheApplication(t *testing.T) {
	twice := fx.Provide(
		fx.Annotate(func() protocol.Registration { return silent("one") }, fx.ResultTags(`group:"protocols"`)),
		fx.Annotate(func() protocol.Registration { return silent("one") }, fx.ResultTags(`group:"protocols"`)),
	)
	app := fx.New(p2pfx.Module, twice, fx.Supply(at(alice)), fx.Invoke(func(*p2p.P2p) {}), fx.NopLogger)
	if !errors.Is(app.Err(), protocol.ErrRegistration) {
		t.Errorf("error is %v, want ErrRegistration", app.Err())
	}
}
