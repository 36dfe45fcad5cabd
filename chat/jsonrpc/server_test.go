package jsonrpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"dchat/p2p/addr"
)

func ping(ctx context.Context, a addr.Addr) error {
	c, err := Dial(ctx, a)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	var got string
	if err := c.Call(ctx, "ping", nil, &got); err != nil {
		return err
	}
	if got != "pong" {
		return fmt.Errorf("got %q", got)
	}
	return nil
}

func TestNewRefuses(t *testing.T) {
	local := addr.MustParse("tcp://127.0.0.1:0")
	for name, test := range map[string]struct {
		cfg     Config
		methods map[string]Handler
	}{
		"no address":           {Config{}, nil},
		"an unsuitable scheme": {Config{Listen: addr.MustParse("tcp+tls://127.0.0.1:1")}, nil},
		"a negative limit":     {Config{Listen: local, MaxConns: -1}, nil},
		"a negative timeout":   {Config{Listen: local, WriteTimeout: -1}, nil},
		"a nil handler":        {Config{Listen: local}, map[string]Handler{"m": nil}},
	} {
		if s, err := New(test.cfg, test.methods); err == nil {
			t.Errorf("%s: got %v", name, s)
		}
	}
}

func TestLifeCycle(t *testing.T) {
	for _, scheme := range []string{"tcp://127.0.0.1:0", "tcp://[::1]:0", "http+tcp://127.0.0.1:0", "unix://" + filepath.Join(t.TempDir(), "rpc.sock")} {
		t.Run(scheme, func(t *testing.T) {
			s := newServer(t, Config{Listen: addr.MustParse(scheme)}, new(fakeDaemon).methods())
			if err := s.Stop(t.Context()); err != nil {
				t.Errorf("Stop before Start: %v", err)
			}
			for range 3 {
				if err := s.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := s.Start(t.Context()); !errors.Is(err, ErrRunning) {
					t.Errorf("second Start: %v", err)
				}
				bound := s.Addr()
				if port, ok := bound.Port(); ok && port == 0 {
					t.Errorf("Addr is %s", bound)
				}
				if err := ping(t.Context(), bound); err != nil {
					t.Error(err)
				}
				for range 2 {
					if err := s.Stop(t.Context()); err != nil {
						t.Error(err)
					}
				}
				if err := ping(t.Context(), bound); !errors.Is(err, ErrUnreachable) {
					t.Errorf("after Stop: %v", err)
				}
			}
		})
	}
}

// Stop ends the methods under way, lets their clients have the answer, and joins idle connections
// and streams.
func TestStopUnderWay(t *testing.T) {
	for _, listen := range []string{"tcp://127.0.0.1:0", "http+tcp://127.0.0.1:0"} {
		t.Run(listen, func(t *testing.T) {
			daemon := &fakeDaemon{began: make(chan struct{})}
			s := newServer(t, Config{Listen: addr.MustParse(listen)}, daemon.methods())
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			connect(t, s) // idle
			c, err := Dial(t.Context(), s.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			sub, err := c.Subscribe(t.Context(), "dnet.subscribe_events", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = sub.Close() }()
			called := make(chan error)
			go func() { called <- c.Call(t.Context(), "block", nil, nil) }()
			<-daemon.began

			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			if err := s.Stop(ctx); err != nil {
				t.Error(err)
			}
			if e, ok := errors.AsType[*Error](<-called); !ok || e.Code != CodeInternal {
				t.Errorf("call under way: %v", e)
			}
			if _, err := sub.Next(t.Context()); !errors.Is(err, ErrDisconnected) {
				t.Errorf("subscription: %v", err)
			}
		})
	}
}

// Stop is bounded by its context when a method does not end; a second Stop joins it.
func TestStopIsBounded(t *testing.T) {
	release, began := make(chan struct{}), make(chan struct{})
	s := newServer(t, Config{}, map[string]Handler{
		"deaf": func(context.Context, *Call) (any, error) {
			close(began)
			<-release
			return nil, nil
		},
	})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, connect(t, s), call(1, "deaf"))
	<-began
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := s.Start(t.Context()); !errors.Is(err, ErrRunning) {
		t.Errorf("Start while stopping: %v", err)
	}
	close(release)
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// A method may stop its own server: its context ends, which ends the Stop.
func TestStopFromInside(t *testing.T) {
	var s *Server
	stopped := make(chan error, 1)
	s = newServer(t, Config{}, map[string]Handler{
		"stop": func(ctx context.Context, _ *Call) (any, error) {
			stopped <- s.Stop(ctx)
			return true, nil
		},
	})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	nc := connect(t, s)
	write(t, nc, call(1, "stop"))
	if err := <-stopped; !errors.Is(err, context.Canceled) {
		t.Errorf("inside: %v", err)
	}
	if reply, err := io.ReadAll(nc); err != nil || !strings.Contains(string(reply), "true") {
		t.Errorf("%q, %v", reply, err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestListenErrorsSayWhatToDo(t *testing.T) {
	taken := startServer(t, Config{}, nil)
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	inUse := startServer(t, Config{Listen: addr.MustParse("unix://" + filepath.Join(dir, "in-use"))}, nil)
	for _, test := range []struct {
		listen, want string
		is           error
	}{
		{taken.Addr().String(), "choose another port", syscall.EADDRINUSE},
		{"tcp://192.0.2.1:0", "choose 127.0.0.1", syscall.EADDRNOTAVAIL},
		{"tcp://127.0.0.1", "no port", nil},
		{inUse.Addr().String(), "another program listens there", nil},
		{"unix://" + plain, "no socket: choose another path", nil},
		{"unix://" + dir, "no socket: choose another path", nil},
		{"unix://" + filepath.Join(dir, "none", "x"), "create its directory", os.ErrNotExist},
		{"unix://" + filepath.Join(dir, strings.Repeat("x", 120)), "too long", syscall.EINVAL},
		{"unix://host/x", "unix:///absolute/path", nil},
	} {
		t.Run(test.listen, func(t *testing.T) {
			s := newServer(t, Config{Listen: addr.MustParse(test.listen)}, nil)
			err := s.Start(t.Context())
			if err == nil {
				t.Fatal("it listens")
			}
			if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), s.cfg.Listen.Redacted()) {
				t.Errorf("%v: want %q and the address in it", err, test.want)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v is not %v", err, test.is)
			}
		})
	}
	if text, err := os.ReadFile(plain); err != nil || string(text) != "keep" {
		t.Errorf("the file in the way: %q, %v", text, err)
	}
}

// J10: an address that others can reach is served, with a warning.
func TestJ10ReachableFromOutside(t *testing.T) {
	for listen, want := range map[string]int{"tcp://0.0.0.0:0": 1, "http+tcp://[::]:0": 1, "tcp://127.0.0.1:0": 0, "tcp://[::1]:0": 0} {
		core, logged := observer.New(zapcore.WarnLevel)
		startServer(t, Config{Listen: addr.MustParse(listen), Log: zap.New(core)}, nil)
		if got := logged.FilterMessageSnippet("no authentication").Len(); got != want {
			t.Errorf("%s: %d warnings, want %d", listen, got, want)
		}
	}
}

// A name to disable that is no method is probably misspelt.
func TestDisabledUnknownMethodIsLogged(t *testing.T) {
	core, logged := observer.New(zapcore.WarnLevel)
	startServer(t, Config{Disabled: []string{"ping", "pong"}, Log: zap.New(core)}, new(fakeDaemon).methods())
	entries := logged.All()
	if len(entries) != 1 || entries[0].ContextMap()["methods"].([]any)[0] != "pong" {
		t.Errorf("logged %v", entries)
	}
}

// J11: a socket file is its owner's alone, goes when the server stops, and replaces only one that
// nobody answers on.
func TestJ11SocketFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rpc.sock")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	_ = stale.Close()

	s := newServer(t, Config{Listen: addr.MustParse("unix://" + path)}, new(fakeDaemon).methods())
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("mode %v, %v", info, err)
	}
	if err := ping(t.Context(), s.Addr()); err != nil {
		t.Error(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}

// A server that stops leaves a file alone that has taken the place of its own.
func TestStopKeepsForeignFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rpc.sock")
	s := newServer(t, Config{Listen: addr.MustParse("unix://" + path)}, nil)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}
