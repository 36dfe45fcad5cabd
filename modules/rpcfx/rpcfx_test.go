package rpcfx_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"dchat/chat"
	"dchat/chat/jsonrpc"
	"dchat/chat/rpc"
	"dchat/modules/rpcfx"
	"dchat/p2p"
)

func TestTheServerAnswersFromStartToStopWithoutANodeAndALogger(t *testing.T) {
	var server *jsonrpc.Server
	answer := func(context.Context, *jsonrpc.Call) (any, error) { return 42, nil }
	app := fxtest.New(t, rpcfx.Module, fx.Supply(anywhere), method("answer", answer), fx.Invoke(rpcfx.Serve), fx.Populate(&server))
	for range 2 { // an application can be started again
		app.RequireStart()
		at := server.Addr()
		if got, err := call[int](t, at, "answer"); got != 42 || err != nil {
			t.Errorf("answer is %d, %v", got, err)
		}
		app.RequireStop()
		if _, err := call[int](t, at, "answer"); !errors.Is(err, jsonrpc.ErrUnreachable) {
			t.Errorf("after the stop: %v, want ErrUnreachable", err)
		}
	}
}

func TestNothingListensWithoutServe(t *testing.T) {
	settings, path := socket(t)
	app := fxtest.New(t, rpcfx.Module, fx.Supply(settings), fx.Invoke(func(*jsonrpc.Server) {}))
	app.RequireStart()
	gone(t, path)
	app.RequireStop()
}

func TestMethodsComeFromEveryModule(t *testing.T) {
	var server *jsonrpc.Server
	state := fx.Provide(fx.Annotate(func(node *p2p.P2p) rpc.Methods {
		return rpc.Methods{"node.state": func(context.Context, *jsonrpc.Call) (any, error) { return node.State().String(), nil }}
	}, fx.ResultTags(`group:"rpc methods"`)))
	app := fxtest.New(t, daemon(at(alice), memory(), anywhere), state, fx.Populate(&server))
	app.RequireStart()
	defer app.RequireStop()
	for method, want := range map[string]string{"node.state": "running", "ping": "pong"} {
		if got, err := call[string](t, server.Addr(), method); got != want || err != nil {
			t.Errorf("%s is %q, %v; want %q", method, got, err, want)
		}
	}
	if got, err := call[[]string](t, server.Addr(), "recv"); len(got) != 0 || err != nil {
		t.Errorf("recv is %q, %v", got, err)
	}
}

func TestReplacedSettingsDecide(t *testing.T) {
	settings, path := socket(t)
	settings.Disabled = []string{"ping"}
	app := fxtest.New(t, daemon(at(alice), memory(), anywhere), fx.Replace(settings))
	app.RequireStart()
	var refusal *jsonrpc.Error
	if _, err := call[string](t, settings.Listen, "ping"); !errors.As(err, &refusal) || refusal.Code != jsonrpc.CodeMethodNotFound {
		t.Errorf("a disabled method gives %v", err)
	}
	app.RequireStop()
	gone(t, path)
}

func TestOneMethodProvidedTwiceFailsTheApplication(t *testing.T) {
	app := fx.New(daemon(at(alice), memory(), anywhere), fx.NopLogger,
		method("ping", func(context.Context, *jsonrpc.Call) (any, error) { return "mine", nil }))
	if err := app.Err(); err == nil || !strings.Contains(err.Error(), `"ping" is provided twice`) {
		t.Errorf("error is %v, want one that names ping", err)
	}
}

func TestASchemeThatCannotBeServedFailsTheApplication(t *testing.T) {
	app := fx.New(daemon(at(alice), memory(), rpcfx.Settings{}), fx.NopLogger)
	if err := app.Err(); err == nil || !strings.Contains(err.Error(), "want tcp://, unix:// or http+tcp://") {
		t.Errorf("error is %v, want one that says what it can be", err)
	}
}

// steps are the lines of the log that tell of the order of the parts.
func steps(lines *observer.ObservedLogs) (got []string) {
	for _, line := range lines.All() {
		if m := line.Message; strings.HasPrefix(m, "Starting ") || strings.HasPrefix(m, "Stopping ") {
			got = append(got, line.LoggerName+": "+m)
		}
	}
	return got
}

func TestItStartsBeforeTheNetworkAndStopsFirst(t *testing.T) {
	seen, lines := observer.New(zapcore.InfoLevel)
	settings, path := socket(t)
	app := fxtest.New(t, daemon(at(alice), memory(), settings), fx.Supply(zap.New(seen)))
	app.RequireStart().RequireStop()
	want := []string{
		"rpc: Starting JSON-RPC server on port unix://" + path,
		"p2p: Starting P2P network",
		"rpc: Stopping JSON-RPC server",
		"p2p: Stopping P2P network",
	}
	if got := steps(lines); !slices.Equal(got, want) {
		t.Errorf("the order is %q\nwant %q", got, want)
	}
}

func TestANetworkThatDoesNotStartStopsTheServer(t *testing.T) {
	set := memory()
	taken, err := set.Listen(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	seen, lines := observer.New(zapcore.InfoLevel)
	settings, path := socket(t)
	app := fx.New(daemon(at(alice), set, settings), fx.Supply(zap.New(seen)), fx.NopLogger)
	if err := app.Start(t.Context()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("error is %v, want that the address is in use", err)
	}
	if got := steps(lines); len(got) != 2 || got[1] != "p2p: Starting P2P network" {
		t.Errorf("the order is %q, want that the server had started", got)
	}
	gone(t, path)
}

func TestAServerThatCannotListenKeepsTheNetworkFromStarting(t *testing.T) {
	settings, _ := socket(t)
	first := fxtest.New(t, daemon(at(alice), memory(), settings))
	first.RequireStart()
	defer first.RequireStop()

	var node *p2p.P2p
	app := fx.New(daemon(at(alice), memory(), settings), fx.Populate(&node), fx.NopLogger)
	var listen *rpcfx.ListenError
	if err := app.Start(t.Context()); !errors.As(err, &listen) || !strings.Contains(err.Error(), settings.Listen.String()) {
		t.Errorf("error is %v, want a ListenError that names %v", err, settings.Listen)
	}
	if node.State() != p2p.Created {
		t.Errorf("the node is %v, want it never started", node.State())
	}
	if got, err := call[string](t, settings.Listen, "ping"); got != "pong" || err != nil {
		t.Errorf("the server that was first gives %q, %v", got, err)
	}
}

func TestAMethodThatDoesNotReturnLeavesTheNetworkTimeToStop(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	var server *jsonrpc.Server
	var node *p2p.P2p
	app := fxtest.New(t, daemon(at(alice), memory(), anywhere), fx.Populate(&server, &node),
		method("hang", func(context.Context, *jsonrpc.Call) (any, error) {
			close(begun)
			<-release
			return nil, nil
		}))
	app.RequireStart()
	var client sync.WaitGroup
	client.Go(func() { _, _ = call[any](t, server.Addr(), "hang") })
	<-begun

	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := app.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) || node.State() != p2p.Stopped {
		t.Errorf("stop gives %v and the node is %v, want the server's timeout and stopped", err, node.State())
	}
	close(release)
	if err := server.Stop(t.Context()); err != nil {
		t.Errorf("the server does not stop once the method returns: %v", err)
	}
	client.Wait()
}

func TestAnotherServerTakesItsPlace(t *testing.T) {
	other, err := jsonrpc.New(jsonrpc.Config{Listen: anywhere.Listen}, map[string]jsonrpc.Handler{
		"ping": func(context.Context, *jsonrpc.Call) (any, error) { return "other", nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	app := fxtest.New(t, daemon(at(alice), memory(), anywhere), fx.Replace(other), fx.Invoke(func(*chat.Dchat) {}))
	app.RequireStart()
	defer app.RequireStop()
	if got, err := call[string](t, other.Addr(), "ping"); got != "other" || err != nil {
		t.Errorf("ping gives %q, %v", got, err)
	}
}
