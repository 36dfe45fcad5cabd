package lilith

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"dchat/chat/jsonrpc"
	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/p2ptest"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

const two = `
[rpc]
rpc_listen = "tcp://127.0.0.1:0"
[network.two]
accept_addrs = ["tcp://127.0.0.1:2000", "tcp+tls://127.0.0.1:2001"]
localnet = true
app_name = "other"
version = "1.2.3"
magic_bytes = [1, 2, 3, 4]
[network.one]
accept_addrs = ["tcp://127.0.0.1:1000"]
localnet = true
`

func TestOptionsAreComplete(t *testing.T) {
	if err := fx.ValidateApp(Options(loadText(t, two))); err != nil {
		t.Error(err)
	}
}

// told is an address in a message of now.
func told(a string) *wire.Addrs {
	return &wire.Addrs{Entries: []wire.Entry{{Addr: addr.MustParse(a), LastSeen: uint64(time.Now().Unix())}}}
}

// commands are what the seed has said, in alphabetical order.
func (c *conversation) commands() string {
	var commands []string
	for _, m := range c.messages {
		commands = append(commands, m.Command)
	}
	slices.Sort(commands)
	return strings.Join(commands, " ")
}

// send sends messages of a network.
func (c *conversation) send(t *testing.T, magic [4]byte, messages ...wire.Message) {
	t.Helper()
	var b []byte
	for _, m := range messages {
		var err error
		if b, err = wire.AppendFrame(b, magic, m); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.conn.Write(b); err != nil {
		t.Fatal(err)
	}
}

func TestEachNetworkHasItsOwnMagicNameVersionAndAddresses(t *testing.T) {
	type identity struct {
		magic   [4]byte
		name    string
		version wire.Semver
		at      string
	}
	one := identity{wire.DefaultMagic, "dchatd", wire.Semver{Minor: 4, Patch: 1}, "tcp://127.0.0.1:1000"}
	other := identity{[4]byte{1, 2, 3, 4}, "other", wire.Semver{Major: 1, Minor: 2, Patch: 3}, "tcp://127.0.0.1:2000"}
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		seeds, app := startSeeds(t, set, zap.NewNop(), two)
		defer app.RequireStop()
		for i, at := range []identity{one, other} {
			for j, who := range []identity{one, other} {
				c := talk(t, set, addr.MustParse(at.at), at.magic)
				version := &wire.Version{AppName: who.name, AppVersion: who.version, ConnectRecvAddr: addr.MustParse(at.at), ResolveRecvAddr: addr.MustParse(at.at)}
				c.send(t, who.magic, version, &wire.Verack{AppName: who.name, AppVersion: who.version})
				want := "version" // to a stranger, and then it leaves
				if synctest.Wait(); i == j {
					c.send(t, who.magic, told(fmt.Sprintf("tcp://127.0.0.1:%d", 60000+i)), &wire.GetAddr{Max: 8, Transports: []string{"tcp"}})
					want = "addr getaddr ping verack version"
					synctest.Wait()
				}
				if got := c.commands(); got != want {
					t.Errorf("a node of %s gets %q from the seed of %s, want %q", who.name, got, at.name, want)
				}
				_ = c.conn.Close()
				<-c.ended
			}
		}
		for i, s := range seeds {
			spawn := s.spawn()
			if want := []string{fmt.Sprintf("tcp://127.0.0.1:%d/", 60000+i)}; !slices.Equal(append(spawn.Greylist, spawn.Whitelist...), want) && len(spawn.Greylist)+len(spawn.Whitelist) > 0 {
				t.Errorf("%s knows %+v, want %q alone", s.name, spawn, want)
			}
		}
	})
}

func TestTheLogSaysWhichNetworkALineIsAbout(t *testing.T) {
	seen, lines := observer.New(zapcore.DebugLevel)
	_, app := startSeeds(t, memory(), zap.New(seen), two)
	app.RequireStop()
	names := make(map[string]bool)
	for _, l := range lines.FilterMessage("Starting P2P network").All() {
		names[l.LoggerName] = true
	}
	if len(names) != 2 || !names["one.p2p"] || !names["two.p2p"] {
		t.Errorf("the lines are of %v", names)
	}
}

// start starts the whole daemon over an in-memory network, and returns a client of its RPC.
func start(t *testing.T, set transport.Set, toml string) *jsonrpc.Client {
	t.Helper()
	var server *jsonrpc.Server
	app := fxtest.New(t, Options(loadText(t, toml)), fx.Supply(set), fx.Replace(zap.NewNop()), fx.Populate(&server))
	app.RequireStart()
	t.Cleanup(app.RequireStop)
	client, err := jsonrpc.Dial(t.Context(), server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func call(t *testing.T, client *jsonrpc.Client, method string) string {
	t.Helper()
	var result json.RawMessage
	if err := client.Call(t.Context(), method, []any{}, &result); err != nil {
		t.Fatal(err)
	}
	return string(result)
}

func TestPingAndSpawns(t *testing.T) {
	client := start(t, memory(), two)
	if got := call(t, client, "ping"); got != `"pong"` {
		t.Errorf("ping gives %s", got)
	}
	want := `{"spawns":[` +
		`{"name":"one","urls":["tcp://127.0.0.1:1000/"],"whitelist":[],"greylist":[],"goldlist":[]},` +
		`{"name":"two","urls":["tcp://127.0.0.1:2000/","tcp+tls://127.0.0.1:2001/"],"whitelist":[],"greylist":[],"goldlist":[]}]}`
	if got := call(t, client, "spawns"); got != want {
		t.Errorf("spawns gives\n%s, want\n%s", got, want)
	}
	var failure *jsonrpc.Error
	if err := client.Call(t.Context(), "send", []any{"x"}, nil); !errors.As(err, &failure) || failure.Code != jsonrpc.CodeMethodNotFound {
		t.Errorf("send gives %v: a seed takes no part in the chat", err)
	}
}

func TestANetworkThatCannotListenStopsTheOthers(t *testing.T) {
	set := memory()
	at := addr.MustParse("tcp://127.0.0.1:2000")
	taken, err := set.Listen(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	loaded := loadText(t, two)
	app := fx.New(Options(loaded), fx.Supply(set), fx.Replace(zap.NewNop()))
	err = app.Start(t.Context())
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("error is %v, want that the address is in use", err)
	}
	want := "cannot listen on tcp://127.0.0.1:2000: address already in use: stop the program that uses it (another lilith?), or take another port: change network.two.accept_addrs in " + loaded.File
	if got := explainer(loaded).Explain(err); !strings.HasPrefix(got, "cannot listen on tcp://127.0.0.1:2000") || !strings.HasSuffix(got, want[strings.Index(want, ": stop"):]) {
		t.Errorf("it says %q\nwant %q", got, want)
	}
	if conn, err := set.Dial(t.Context(), addr.MustParse("tcp://127.0.0.1:1000")); err == nil {
		_ = conn.Close()
		t.Error("the other network still listens")
	}
}

// newcomer makes a node tell the seed its address and ask for others, as often as it is called.
func newcomer(t *testing.T, set transport.Set, seedAt addr.Addr, own string) (known []string) {
	t.Helper()
	p := p2ptest.Dial(t, set, seedAt)
	p.Greet()
	p.Send(told(own), &wire.GetAddr{Max: 8, Transports: []string{"tcp"}})
	var answer wire.Addrs
	p.Expect(&answer)
	p.Close(false)
	for _, e := range answer.Entries {
		known = append(known, e.Addr.String())
	}
	return known
}

const alone = "[network.x]\naccept_addrs = [\"tcp://127.0.0.1:1000\"]\nlocalnet = true\n"

var seedAt = addr.MustParse("tcp://127.0.0.1:1000")

func TestAnAddressIsTriedAtOnceHoweverLongTheSeedWasIdle(t *testing.T) {
	for _, idle := range []time.Duration{0, time.Minute, 24*time.Hour + 17*time.Second} {
		t.Run(idle.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				set := memory()
				seeds, app := startSeeds(t, set, zap.NewNop(), alone)
				defer app.RequireStop()
				node := startNode(t, set, func(s *p2p.Settings) { s.Inbound = []addr.Addr{addr.MustParse("tcp://127.0.0.1:60000")} })
				defer func() { _ = node.Stop(context.Background()) }()
				<-time.After(idle)
				newcomer(t, set, seedAt, "tcp://127.0.0.1:60000")
				<-time.After(time.Second)
				if got := seeds[0].spawn(); !slices.Equal(got.Whitelist, []string{"tcp://127.0.0.1:60000/"}) {
					t.Errorf("a second later the seed knows %+v", got)
				}
				if got := newcomer(t, set, seedAt, "tcp://127.0.0.1:60001"); !slices.Equal(got, []string{"tcp://127.0.0.1:60000/"}) {
					t.Errorf("the next newcomer is told %q", got)
				}
			})
		})
	}
}

func TestAnAddressThatHasGoneIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := memory()
		seeds, app := startSeeds(t, set, zap.NewNop(), alone)
		defer app.RequireStop()
		stays := startNode(t, set, func(s *p2p.Settings) { s.Inbound = []addr.Addr{addr.MustParse("tcp://127.0.0.1:60000")} })
		defer func() { _ = stays.Stop(context.Background()) }()
		goes := startNode(t, set, func(s *p2p.Settings) { s.Inbound = []addr.Addr{addr.MustParse("tcp://127.0.0.1:60001")} })
		newcomer(t, set, seedAt, "tcp://127.0.0.1:60000")
		newcomer(t, set, seedAt, "tcp://127.0.0.1:60001")
		<-time.After(time.Second)
		if got := seeds[0].spawn(); len(got.Whitelist) != 2 {
			t.Fatalf("the seed knows %+v", got)
		}
		if err := goes.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		<-time.After(8*time.Minute + time.Second) // two addresses, one in two minutes, and as much again for the age
		if got := seeds[0].spawn(); !slices.Equal(got.Whitelist, []string{"tcp://127.0.0.1:60000/"}) {
			t.Errorf("after the re-check the seed knows %+v", got)
		}
	})
}

func TestMoreConnectionsAreTakenThanANodeTakes(t *testing.T) {
	set := memory()
	seeds, app := startSeeds(t, set, zap.NewNop(), alone)
	defer app.RequireStop()
	const many = 100
	for range many {
		p2ptest.Dial(t, set, seedAt).Greet()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := seeds[0].node.Connected(ctx, many); err != nil {
		t.Errorf("%d connections: %v", len(seeds[0].node.Channels()), err)
	}
}
