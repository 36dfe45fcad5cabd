package rpcfx_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/goleak"

	"dchat/chat"
	"dchat/chat/jsonrpc"
	"dchat/chat/rpc"
	"dchat/modules/dchatfx"
	"dchat/modules/p2pfx"
	"dchat/modules/rpcfx"
	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what should come at once.
const patience = 10 * time.Second

var (
	alice    = addr.MustParse("tcp://alice:1000")
	anywhere = rpcfx.Settings{Listen: addr.MustParse("tcp://127.0.0.1:0")}
)

// memory is a network inside this process.
func memory() transport.Set { return transport.Set{addr.TCP: transport.NewMem()} }

// at is a node that listens at an address.
func at(listen addr.Addr) p2p.Settings {
	s := p2p.DefaultSettings()
	s.Inbound = []addr.Addr{listen}
	return s
}

// daemon is a node with a chat that is served by RPC.
func daemon(settings p2p.Settings, set transport.Set, listen rpcfx.Settings) fx.Option {
	return fx.Options(
		fx.Supply(settings, set, chat.DefaultSettings(), listen),
		p2pfx.Module, dchatfx.Module, rpcfx.Module, fx.Invoke(rpcfx.Serve),
	)
}

// method is a module that adds one method.
func method(name string, handler jsonrpc.Handler) fx.Option {
	return fx.Module("method", fx.Supply(fx.Annotate(rpc.Methods{name: handler}, fx.ResultTags(`group:"rpc methods"`))))
}

// socket is a unix address where nothing stands yet.
func socket(t *testing.T) (settings rpcfx.Settings, path string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "rpc") // of a short name, as sockets need
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path = filepath.Join(dir, "s")
	return rpcfx.Settings{Listen: addr.MustParse("unix://" + path)}, path
}

// gone checks that nobody listens at a path and that nothing stands there.
func gone(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket %s is there (%v)", path, err)
	}
}

// call calls a method without params.
func call[T any](t *testing.T, at addr.Addr, method string) (result T, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, err := jsonrpc.Dial(ctx, at)
	if err != nil {
		return result, err
	}
	defer func() { _ = client.Close() }()
	err = client.Call(ctx, method, nil, &result)
	return result, err
}
