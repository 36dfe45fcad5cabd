package app

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/fx"

	"dchat/app/internal/apptest"
	"dchat/app/internal/daemon"
	"dchat/chat/jsonrpc"
	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// wantNothingLeft checks that the daemon neither runs nor listens.
func wantNothingLeft(t *testing.T, p *process, set transport.Set, rpc addr.Addr) {
	t.Helper()
	if state := p.node.State(); state != p2p.Stopped {
		t.Errorf("the node is %v", state)
	}
	conn, err := set.Dial(t.Context(), alice)
	if err == nil {
		_ = conn.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dialling the node: %v, want it refused", err)
	}
	client, err := jsonrpc.Dial(t.Context(), rpc)
	if err == nil {
		_ = client.Close()
	}
	if !errors.Is(err, jsonrpc.ErrUnreachable) {
		t.Errorf("dialling JSON-RPC: %v, want it refused", err)
	}
}

// signalSelf sends a signal to this process, for which a daemon of the test has a handler.
func signalSelf(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), sig); err != nil {
		t.Fatal(err)
	}
}

const caught = "Caught termination signal, cleaning up and exiting..."

// theLines are those of a run from start to stop.
var theLines = []string{
	"Starting JSON-RPC server on port tcp://127.0.0.1:0",
	"Starting P2P network",
	caught,
	"Stopping JSON-RPC server",
	"Stopping P2P network",
	"Shut down successfully",
}

func TestSignalsStopTheDaemonCleanly(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT} {
		t.Run(sig.String(), func(t *testing.T) {
			set := memory()
			p := launch(t, set)
			p.waitStarted()
			rpc := p.server.Addr()
			signalSelf(t, sig)
			p.WantExit(0)
			wantInOrder(t, p.log, theLines...)
			wantNothingLeft(t, p, set, rpc)
		})
	}
}

func TestTheEndOfTheContextStopsTheDaemonCleanly(t *testing.T) {
	set := memory()
	p := launch(t, set)
	p.waitStarted()
	rpc := p.server.Addr()
	p.End()
	p.WantExit(0)
	wantInOrder(t, p.log, theLines...)
	wantNothingLeft(t, p, set, rpc)
}

func TestALostTerminalDoesNotStopTheDaemon(t *testing.T) {
	p := launch(t, memory())
	p.waitStarted()
	hangUp(t)
	client, err := jsonrpc.Dial(t.Context(), p.server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	var pong string
	if err := errors.Join(client.Call(t.Context(), "ping", nil, &pong), client.Close()); pong != "pong" || err != nil {
		t.Errorf("ping gives %q, %v", pong, err)
	}
	if strings.Contains(p.log.String(), caught) {
		t.Error("it ends")
	}
}

// hanging is a hook that tells that it was reached, and ends with its context.
func hanging() (reached chan struct{}, hook func(context.Context) error) {
	reached = make(chan struct{})
	return reached, func(ctx context.Context) error {
		close(reached)
		<-ctx.Done()
		return ctx.Err()
	}
}

func TestAStartThatIsInterruptedIsUndone(t *testing.T) {
	for name, interrupt := range map[string]func(*process){
		"by a signal":    func(p *process) { signalSelf(p.t, syscall.SIGTERM) },
		"by the context": func(p *process) { p.End() },
	} {
		t.Run(name, func(t *testing.T) {
			set := memory()
			reached, hook := hanging()
			p := launch(t, set, onStart(hook))
			<-reached
			rpc := p.server.Addr()
			if p.node.State() != p2p.Running {
				t.Errorf("the node is %v when the last hook hangs", p.node.State())
			}
			interrupt(p)
			p.WantExit(0)
			wantNothingLeft(t, p, set, rpc)
		})
	}
}

func TestNothingMoreIsStartedOnceTheStartIsInterrupted(t *testing.T) {
	reached, hook := hanging()
	p := launch(t, memory(),
		onStart(func(ctx context.Context) error {
			_ = hook(ctx)
			return nil // it has started nevertheless
		}),
		onStart(func(context.Context) error {
			t.Error("the next part is started")
			return nil
		}),
	)
	<-reached
	p.End()
	p.WantExit(0)
	if state := p.node.State(); state != p2p.Stopped {
		t.Errorf("the node is %v", state)
	}
}

func TestAContextThatHasEndedStartsNothing(t *testing.T) {
	var node *p2p.P2p
	d, err := daemon.New(Options(configured(at(alice))), daemon.LogTo(apptest.NewOutput()), fx.Supply(memory()), fx.Populate(&node))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 { // whatever is noticed first
		if code, err := d.Run(ctx); code != 0 || err != nil {
			t.Fatalf("exit code %d, %v", code, err)
		}
	}
	if state := node.State(); state == p2p.Running {
		t.Errorf("the node is %v", state)
	}
}

func TestAStartThatTakesTooLongIsUndoneAndFails(t *testing.T) {
	set := memory()
	reached, hook := hanging()
	p := launch(t, set, onStart(hook), fx.StartTimeout(200*time.Millisecond))
	<-reached
	rpc := p.server.Addr()
	p.WantExit(daemon.Failed)
	if !errors.Is(p.err, context.DeadlineExceeded) {
		t.Errorf("error is %v, want that time ran out", p.err)
	}
	wantNothingLeft(t, p, set, rpc)
}

func TestAStartThatFailsStopsWhatHadStarted(t *testing.T) {
	set, broken := memory(), errors.New("broken")
	var rpc addr.Addr
	p := launch(t, set, fx.Invoke(func(lc fx.Lifecycle, server *jsonrpc.Server) {
		lc.Append(fx.StartHook(func() error {
			rpc = server.Addr()
			return broken
		}))
	}))
	p.WantExit(daemon.Failed)
	if !errors.Is(p.err, broken) {
		t.Errorf("error is %v, want why the start failed", p.err)
	}
	wantNothingLeft(t, p, set, rpc)
}

func TestASecondInterruptEndsTheProcessAtOnce(t *testing.T) {
	stopping, release := make(chan struct{}), make(chan struct{})
	p := launch(t, memory(), onStop(func(context.Context) error {
		close(stopping)
		<-release
		return nil
	}))
	p.waitStarted()
	signalSelf(t, syscall.SIGINT)
	p.log.WaitFor(t, caught)
	<-stopping
	select {
	case code := <-p.exits:
		t.Errorf("the first interrupt ended it with %d", code)
	default:
	}
	signalSelf(t, syscall.SIGINT)
	select {
	case code := <-p.exits:
		if code != daemon.Aborted {
			t.Errorf("exit code %d, want %d", code, daemon.Aborted)
		}
	case <-time.After(apptest.Patience):
		t.Error("the second interrupt does nothing")
	}
	close(release)
	p.WantExit(0)
}

func TestAStopThatTakesTooLongFails(t *testing.T) {
	_, hook := hanging()
	// In a module, since what that invokes comes first: its hook stops last. Hooks behind the one that
	// hangs do not run, for the process would end.
	p := launch(t, memory(), fx.StopTimeout(200*time.Millisecond), fx.Module("first", onStop(hook)))
	p.waitStarted()
	p.End()
	p.WantExit(daemon.Failed)
	if !errors.Is(p.err, context.DeadlineExceeded) {
		t.Errorf("error is %v, want that time ran out", p.err)
	}
}

func TestAModuleEndsTheDaemonWithAnExitCode(t *testing.T) {
	for _, code := range []int{0, 3} {
		set := memory()
		var stop fx.Shutdowner
		p := launch(t, set, fx.Populate(&stop))
		p.waitStarted()
		rpc := p.server.Addr()
		if err := stop.Shutdown(fx.ExitCode(code)); err != nil {
			t.Fatal(err)
		}
		p.WantExit(code)
		wantNothingLeft(t, p, set, rpc)
	}
}

func TestAModuleMayEndTheDaemonWhileItStarts(t *testing.T) {
	var stop fx.Shutdowner
	p := launch(t, memory(), fx.Populate(&stop), onStart(func(context.Context) error { return stop.Shutdown(fx.ExitCode(4)) }))
	p.WantExit(4)
	if state := p.node.State(); state != p2p.Stopped {
		t.Errorf("the node is %v", state)
	}
}
