package lilith

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"dchat/chat/jsonrpc"
	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// breaking is a network on which one address breaks and does not come back.
type breaking struct {
	transport.Transport
	at     addr.Addr
	broken atomic.Bool
}

func (b *breaking) Listen(ctx context.Context, a addr.Addr) (transport.Listener, error) {
	if a == b.at && b.broken.Swap(true) {
		return nil, &transport.Error{Op: "listen on", Addr: a, Err: net.ErrClosed}
	}
	l, err := b.Transport.Listen(ctx, a)
	if a == b.at && err == nil {
		_ = l.Close() // nobody is connected
	}
	return l, err
}

func TestADaemonOneOfWhoseNetworksLosesItsAddressEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, err := jsonrpc.New(jsonrpc.Config{Listen: addr.MustParse("tcp://127.0.0.1:0")}, nil)
		if err != nil {
			t.Fatal(err)
		}
		set := memory()
		set[addr.TCP] = &breaking{Transport: set[addr.TCP], at: addr.MustParse("tcp://127.0.0.1:2000")}
		seen, lines := observer.New(zapcore.ErrorLevel)
		options := []fx.Option{fx.Supply(set, server, zap.New(seen)), fx.Invoke(watch)}
		for _, n := range loadText(t, two).Networks {
			options = append(options, network(n))
		}
		app := fxtest.New(t, options...)
		app.RequireStart()
		time.Sleep(time.Minute)
		app.RequireStop()
		logged := lines.All()
		if len(logged) != 1 || logged[0].Message != "Ending: an address cannot be listened on any more" || !strings.Contains(fmt.Sprint(logged[0].ContextMap()), "tcp://127.0.0.1:2000/") {
			t.Errorf("it logs %v, want that it ends, and the address", logged)
		}
	})
}
