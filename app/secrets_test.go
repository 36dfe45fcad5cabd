package app

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dchat/app/doctor"
	"dchat/app/internal/apptest"
	"dchat/chat/jsonrpc"
	"dchat/modules/settingsfx"
	"dchat/p2p/addr"
	"dchat/p2p/transport/sockstest"
)

// The user and password of a proxy stay with the node: nothing that it says, writes or
// answers has them, whether the proxy can be reached, turns the user away or works.
func TestThePasswordOfAProxyIsNeverTold(t *testing.T) {
	const user, password = "tellnouser", "tellnosecret"
	_, proxy := sockstest.Start(t, func(u, p string) bool { return u == user && p == password })
	there := at(addr.MustParse("tcp://127.0.0.1:0"))
	there.OutboundConnections = 0
	far := start(t, there, nil)
	behind := far.P2p().Addrs()[0].HostPort()
	through := "socks5://" + user + ":" + password + "@"

	i := dchatd(t).WithFile(t, fmt.Sprintf(`
[rpc]
rpc_listen = "tcp://127.0.0.1:0"
[log]
level = "debug"
[net]
active_profiles = ["socks5"]
mixed_profiles = ["tcp"]
localnet = true
tor_socks5_proxy = %q
i2p_socks5_proxy = %q
hostlist = "~/hosts"
outbound_connections = 1
peers = [%q, %q, %q]
seeds = ["tcp://seed.example:1"]
[net.profiles.socks5]
`, through+"127.0.0.1:1", through+"127.0.0.1:1", through+"127.0.0.1:1/x:1", through+proxy+"/"+behind,
		"socks5://other"+user+":"+password+"@"+proxy+"/"+behind))
	known := fmt.Sprintf("gold\ttcp://192.168.0.1:1/\t%d\ngold\t%s127.0.0.1:1/z:1\t%[1]d\n", time.Now().Unix(), through)
	if err := os.WriteFile(filepath.Join(i.Home, "hosts"), []byte(known), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := settingsfx.Load(i.Source(t, settingsfx.Flags))
	if err != nil {
		t.Fatal(err)
	}
	p := launchWith(t, loaded)
	p.log.WaitFor(t, "rpc: Listening")
	told := map[string]string{"warnings": strings.Join(loaded.Warnings, "\n")}

	client := p.dial()
	defer client.Close() //nolint:errcheck // nothing is lost
	events, err := client.Subscribe(t.Context(), "dnet.subscribe_events", []any{})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close() //nolint:errcheck // nothing is lost
	var on bool
	p.ask("dnet.switch", &on, true)

	ctx, cancel := context.WithTimeout(t.Context(), apptest.Patience)
	defer cancel()
	if err := p.node.Connected(ctx, 1); err != nil {
		t.Fatalf("%v:\n%s", err, p.log)
	}
	if err := far.P2p().Connected(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := far.Send(ctx, "hello"); err != nil {
		t.Fatal(err)
	}
	version := far.P2p().Channels()[0].Remote()
	told["version"] = fmt.Sprint(version.ConnectRecvAddr, " ", version.ResolveRecvAddr)
	p.log.WaitFor(t, "connection refused")
	p.log.WaitFor(t, "refuses the user name and password")
	for _, a := range []string{through + "127.0.0.1:1/y:1", "tcp://y.example:1"} {
		_, _, err := p.node.Channel(ctx, addr.MustParse(a))
		told["error "+addr.MustParse(a).Redacted()] = fmt.Sprint(err)
	}
	told["events"] = untilEvent(ctx, t, events, "direct_disconnected")
	for _, method := range []string{"p2p.get_info", "p2p.peers", "p2p.slots", "p2p.bans", doctor.Method, "p2p.reload", "chat.history", "recv"} {
		var answer json.RawMessage
		p.ask(method, &answer)
		told[method] = string(answer)
	}
	var shown strings.Builder
	if err := loaded.Show(&shown); err != nil {
		t.Fatal(err)
	}
	told["config show"] = shown.String()
	p.End()
	p.WantExit(0)
	hosts, err := os.ReadFile(filepath.Join(i.Home, "hosts"))
	if err != nil {
		t.Fatal(err)
	}
	told["log"], told["host list"] = p.log.String(), string(hosts)

	for what, text := range told {
		if strings.Contains(text, password) || strings.Contains(text, user) {
			t.Errorf("%s:\n%s", what, text)
		}
	}
	if strings.Contains(told["host list"], addr.Socks5) {
		t.Errorf("the host list keeps addresses with a proxy:\n%s", told["host list"])
	}
	for what, want := range map[string]string{
		"p2p.get_info": "socks5://" + proxy + "/" + behind, "p2p.peers": "socks5://" + proxy + "/" + behind, "log": "socks5://127.0.0.1:1/x:1",
		"version": "socks5://" + proxy + "/" + behind, "host list": "tcp://192.168.0.1:1/",
		doctor.Method: "refuses the user name and password", "config show": "socks5://127.0.0.1:1/", "chat.history": "hello", "events": "socks5://127.0.0.1:1/y:1",
	} {
		if !strings.Contains(told[what], want) {
			t.Errorf("%s says nothing of %s, so this proves nothing:\n%s", what, want, told[what])
		}
	}
}

// untilEvent are the events up to the first with this name, as JSON.
func untilEvent(ctx context.Context, t *testing.T, events *jsonrpc.Subscription, name string) string {
	t.Helper()
	var all strings.Builder
	for {
		e, err := events.Next(ctx)
		if err != nil {
			t.Fatalf("%v after %s", err, &all)
		}
		if fmt.Fprintf(&all, "%s\n", e); strings.Contains(string(e), name) {
			return all.String()
		}
	}
}
