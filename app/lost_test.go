package app

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/fx"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"dchat/app/internal/daemon"
	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// breaking is a network on which one can listen once, and whose listener breaks.
type breaking struct {
	transport.Transport
	listened bool
}

func (b *breaking) Listen(ctx context.Context, a addr.Addr) (transport.Listener, error) {
	if b.listened {
		return nil, &transport.Error{Op: "listen on", Addr: a, Err: syscall.EADDRNOTAVAIL}
	}
	b.listened = true
	l, err := b.Transport.Listen(ctx, a)
	return brokenListener{l}, err
}

type brokenListener struct{ transport.Listener }

func (brokenListener) Accept() (transport.Conn, error) { return nil, syscall.EINVAL }

// lostNode is a node that has lost its address.
func lostNode(t *testing.T) *p2p.P2p {
	t.Helper()
	node, err := p2p.New(at(alice), p2p.WithTransports(transport.Set{addr.TCP: &breaking{Transport: transport.NewMem()}}))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		if err := node.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := node.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return node
}

func TestADaemonThatLosesItsAddressEndsWithAnExitCodeOfItsOwn(t *testing.T) {
	set := memory()
	p := launch(t, set, fx.Replace(lostNode(t)))
	p.WantExit(daemon.Lost)
	wantInOrder(t, p.log, "ERROR Ending: an address cannot be listened on any more", "cannot listen on tcp://alice:1000/", "Shut down successfully")
	if strings.Contains(p.log.String(), caught) {
		t.Error("it says that a signal came")
	}
	if p.err != nil {
		t.Errorf("it ends with %v", p.err)
	}
}

// failing is a part that fails when the test wants.
type failing chan error

func (f failing) Err() <-chan error { return f }

func TestAnyPartEndsTheApplicationWheneverItRuns(t *testing.T) {
	first, second := make(failing, 1), make(failing, 1)
	seen, lines := observer.New(zapcore.DebugLevel)
	app := fx.New(fx.NopLogger, fx.Invoke(func(lc fx.Lifecycle, stop fx.Shutdowner) {
		daemon.Watch(lc, stop, zap.New(seen), first, second)
	}))
	for _, part := range []failing{first, second} {
		if err := app.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		ended := app.Wait()
		part <- errors.New("broken")
		if end := <-ended; end.ExitCode != daemon.Lost {
			t.Errorf("it ends with %d", end.ExitCode)
		}
		if err := app.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if logged := lines.TakeAll(); len(logged) != 1 || logged[0].Level != zapcore.ErrorLevel {
			t.Errorf("it logs %v, want one error", logged)
		}
	}
}
