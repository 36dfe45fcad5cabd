package settingsfx

import (
	"slices"
	"strings"
	"testing"
	"unicode"
)

// wantFaults fails unless the setup has exactly these faults, each given by the beginning of
// what follows the place, in any order.
func (s setup) wantFaults(t *testing.T, want ...string) {
	t.Helper()
	faults, file := s.mustFail(t)
	for _, f := range faults {
		_, text, _ := strings.Cut(f.String(), f.Origin.String()+": ")
		i := slices.IndexFunc(want, func(w string) bool { return strings.HasPrefix(text, w) })
		if i < 0 {
			t.Errorf("%s\nunexpected: %s", s.toml, f)
			continue
		}
		want = slices.Delete(want, i, i+1)
		doubled := strings.Contains(text, "already defined") // of these the parser does not tell the line
		if f.Origin.Kind != FromFile || f.Origin.Name != file || f.Origin.Line == 0 && !doubled {
			t.Errorf("not in a line of the file: %s", f)
		}
	}
	if len(want) > 0 {
		t.Errorf("%s\nnot said: %q", s.toml, want)
	}
}

func TestFaultsOfTheFile(t *testing.T) {
	for _, tt := range []struct {
		name string
		toml string
		want []string
	}{
		{"unknown key", "[net]\noutbond_connections = 8", []string{"net.outbond_connections: unknown key; the nearest known one is net.outbound_connections"}},
		{"key in the wrong table", "[net]\nrpc_listen = 1", []string{"net.rpc_listen: unknown key; the nearest known one is rpc.rpc_listen"}},
		{"key in the wrong case", "[net]\nLocalnet = true", []string{"net.Localnet: unknown key; the nearest known one is net.localnet"}},
		{"key at the top", "localnet = true", []string{"localnet: unknown key; the nearest known one is net.localnet"}},
		{"unknown table", "[nett]\nlocalnet = true", []string{"nett: unknown table; the nearest known one is net"}},
		{"unknown profile", `[net.profiles."tcp+tsl"]`, []string{"net.profiles.tcp+tsl: unknown table; the nearest known one is net.profiles.tcp+tls"}},
		{"dotted key in quotes", `"net.localnet" = true`, []string{`"net.localnet": unknown key; the nearest known one is net.localnet`}},
		{"table that is a value", "net = 5", []string{"net = 5: this is the name of a table: write [net]"}},
		{"table that is a list", "[[net]]\nlocalnet = true", []string{"net = [{…}]: this is the name of a table: write [net]"}},
		{"value that is a table", "[net.localnet]\nx = 1", []string{"net.localnet = {…}: give true or false"}},

		{"text for a number", "[net]\noutbound_connections = \"8\"", []string{`net.outbound_connections = "8": give a whole number`}},
		{"fraction for a number", "[net]\nknown_peer_percent = 80.7", []string{"net.known_peer_percent = 80.7: give a whole number"}},
		{"number for a text", "[net]\nnode_id = 5", []string{"net.node_id = 5: give a text in quotes"}},
		{"number for a truth", "[net]\nlocalnet = 1", []string{"net.localnet = 1: give true or false"}},
		{"date for a text", "[net]\nnode_id = 2026-01-01", []string{"net.node_id = 2026-01-01: give a text in quotes"}},
		{"text for a list", "[net]\npeers = \"tcp://h:1\"", []string{`net.peers = "tcp://h:1": give a list in square brackets`}},
		{"list for a text", "[log]\nfile = [\"x\"]", []string{`log.file = ["x"]: give a text in quotes`}},
		{"negative", "[net]\ngetaddrs_max = -1", []string{"net.getaddrs_max = -1: give a whole number from 0 to 4294967295"}},
		{"too large to wrap", "[net]\ngetaddrs_max = 4294967297", []string{"net.getaddrs_max = 4294967297: give a whole number"}},
		{"out of range", "[net]\ninbound_connections = 70000", []string{"net.inbound_connections = 70000: give a number from 0 to 65536"}},
		{"time with a unit", "[net]\nwrite_timeout = \"10s\"", []string{`net.write_timeout = "10s": give a whole number of seconds, without a unit`}},
		{"fraction of a second", "[net]\nwrite_timeout = 1.5", []string{"net.write_timeout = 1.5: give a whole number of seconds"}},
		{"more seconds than fit", "[net]\nwrite_timeout = 9223372037", []string{"net.write_timeout = 9223372037: give a whole number of seconds"}},
		{"no time at all", "[net]\nwrite_timeout = 0", []string{"net.write_timeout = 0: give a time from 1s to 1m0s"}},
		{"magic of three", "[net]\nmagic_bytes = [1, 2, 3]", []string{"net.magic_bytes = [1, 2, 3]: give four numbers from 0 to 255"}},
		{"magic too large", "[net]\nmagic_bytes = [1, 2, 3, 256]", []string{"net.magic_bytes = [1, 2, 3, 256]: give four numbers from 0 to 255"}},
		{"magic of bad hex", "[net]\nmagic_bytes = \"d9efb6\"", []string{`net.magic_bytes = "d9efb6": give four numbers from 0 to 255`}},
		{"version", "[net]\napp_version = \"0.4\"", []string{`net.app_version = "0.4": give a version such as "0.4.1"`}},
		{"level", "[log]\nlevel = \"verbose\"", []string{`log.level = "verbose": give "debug", "info", "warn" or "error"`}},
		{"level that would silence", "[log]\nlevel = \"fatal\"", []string{`log.level = "fatal": give "debug"`}},
		{"format", "[log]\nformat = \"xml\"", []string{`log.format = "xml": give "console" or "json"`}},
		{"history", "[chat]\nhistory_messages = 0\nhistory_bytes = 1", []string{"chat.history_messages = 0: give a number from 1", "chat.history_bytes = 1: give a number from"}},
		{"ban policy", "[net]\nban_policy = \"Strict\"", []string{`net.ban_policy = "Strict": use "strict" or "relaxed"`}},

		{"address without scheme", "[net]\npeers = [\"127.0.0.1:1\"]", []string{`net.peers = "127.0.0.1:1": give an address such as tcp://host:port (no scheme`}},
		{"address without port", "[net]\nseeds = [\"tcp://h\"]", []string{`net.seeds = "tcp://h/": write it as scheme://host:port`}},
		{"address of an unknown transport", "[net]\npeers = [\"tpc://h:1\"]", []string{`net.peers = "tpc://h:1": unknown transport "tpc"; the nearest known one is tcp`}},
		{"each bad address of a list", "[net]\npeers = [\"tcp://h\", \"tcp://h:x\", \"tcp://h:1\", 5]", []string{`net.peers = "tcp://h/"`, `net.peers = "tcp://h:x"`, `net.peers = 5: give an address`}},
		{"peer that is a seed", "[net]\npeers = [\"tcp://h:1\"]\nseeds = [\"tcp://H:1/\"]", []string{`net.peers = "tcp://h:1/": an address is either a peer or a seed`}},
		{"RPC scheme", "[rpc]\nrpc_listen = \"tcp+tls://h:1\"", []string{`rpc.rpc_listen = "tcp+tls://h:1/": give an address with tcp, http+tcp or unix`}},
		{"RPC port", "[rpc]\nrpc_listen = \"tcp://127.0.0.1\"", []string{`rpc.rpc_listen = "tcp://127.0.0.1/": give tcp://host:port`}},
		{"RPC path", "[rpc]\nrpc_listen = \"unix://host/path\"", []string{`rpc.rpc_listen = "unix://host/path": give unix:///absolute/path`}},
		{"RPC methods", "[rpc]\nrpc_disabled_methods = [1]", []string{"rpc.rpc_disabled_methods = 1: give a text in quotes"}},

		{"unknown transport", "[net]\nactive_profiles = [\"tpc\"]\nmixed_profiles = [\"\"]", []string{`net.active_profiles = "tpc": unknown transport "tpc"; the nearest known one is tcp`, `net.mixed_profiles = "": unknown transport ""`}},
		{"onion name with a wrong character", "[net]\npeers = [\"tor://q53lf57qovyuvwsc6xnrppyply3vtqm7l6pcobkmyqsiofyeznfu5uqd.onion:1\"]", []string{
			`net.peers = "tor://q53lf57qovyuvwsc6xnrppyply3vtqm7l6pcobkmyqsiofyeznfu5uqd.onion:1/": the destination is malformed: a version 3 onion name has 56 letters and digits before .onion, among them a checksum`}},
		{"onion name with a wrong character elsewhere", "[net]\nseeds = [\"tor+tls://a.onion:1\"]\nexternal_addrs = [\"tor://b.onion:1\"]", []string{
			`net.seeds = "tor+tls://a.onion:1/": the destination is malformed`, `net.external_addrs = "tor://b.onion:1/": the destination is malformed`}},
		{"onion name with a wrong character, through a proxy", "[net]\npeers = [\"socks5://127.0.0.1:9050/q53lf57qovyuvwsc6xnrppyply3vtqm7l6pcobkmyqsiofyeznfu5uqd.onion:1\"]", []string{
			`net.peers = "socks5://127.0.0.1:9050/q53lf57qovyuvwsc6xnrppyply3vtqm7l6pcobkmyqsiofyeznfu5uqd.onion:1": the destination is malformed`}},
		{"name that is none of I2P", "[net]\nseeds = [\"i2p://h:1\"]", []string{`net.seeds = "i2p://h:1": the destination is malformed: a host of I2P is`}},
		{"socks5 without a destination", "[net]\npeers = [\"socks5://127.0.0.1:9050\"]\nseeds = [\"socks5+tls://127.0.0.1:9050/h:1/\"]", []string{
			`net.peers = "socks5://127.0.0.1:9050/": the destination is malformed: write it as socks5://proxy:port/destination:port`, `net.seeds = "socks5+tls://127.0.0.1:9050/h:1/": the destination`}},
		{"socket with a host", "[net]\npeers = [\"unix://run/x.sock\"]", []string{`net.peers = "unix://run/x.sock": it has a host, and sockets have none: write unix:///absolute/path`}},
		{"socket with a path that is too long", "[net]\ninbound = [\"unix:///" + strings.Repeat("x", 150) + "\"]", []string{`net.inbound = "unix:///` + strings.Repeat("x", 112) + `…": its path is too long for a socket, with 151 bytes`}},
		{"listening where that is not possible", "[net]\ninbound = [\"tor://127.0.0.1:1\"]", []string{`net.inbound = "tor://127.0.0.1:1/": listen on one of quic, tcp, tcp+tls, unix`}},
		{"proxies", "[net]\ntor_socks5_proxy = \"tcp://127.0.0.1:9050\"\nnym_socks5_proxy = \"socks5://h\"\ni2p_socks5_proxy = \"socks5://h:1/h:2\"", []string{
			`net.tor_socks5_proxy = "tcp://127.0.0.1:9050/": write it as socks5://host:port, or socks5://user:password@host:port`, `net.nym_socks5_proxy = "socks5://h/": write it`, `net.i2p_socks5_proxy = "socks5://h:1/h:2": write it`}},
		{"proxy without scheme", "[net]\ntor_socks5_proxy = \"127.0.0.1:9050\"", []string{`net.tor_socks5_proxy = "127.0.0.1:9050": give an address such as socks5://host:port (no scheme`}},
		{"missing table", "[net]\nactive_profiles = [\"tcp+tls\"]", []string{`net.active_profiles = "tcp+tls": an active profile needs its table: add [net.profiles."tcp+tls"]`}},
		{"profile: all at once", "[net]\nactive_profiles = [\"tcp\"]\n[net.profiles.tcp]\ninbound = [\"tcp://h\", 1]\noutbound_connect_timeout = 0\nchannel_handshake_timeout = \"x\"\npears = []", []string{
			`net.profiles.tcp.inbound = "tcp://h/": write it`, "net.profiles.tcp.inbound = 1: give an address", "net.profiles.tcp.outbound_connect_timeout = 0: give a time from 1s", `net.profiles.tcp.channel_handshake_timeout = "x": give a whole number of seconds`, "net.profiles.tcp.pears: unknown key; the nearest known one is net.profiles.tcp.peers"}},
		{"profile that is not active", "[net.profiles.tor]\nseeds = [\"tor:\"]", []string{`net.profiles.tor.seeds = "tor:": give an address`}},

		{"blacklist without ports", "[net]\nblacklist = [[\"h\", []]]", []string{`net.blacklist = ["h", []]: give ["host", ["scheme"], [port]]: all three parts`}},
		{"blacklist port", "[net]\nblacklist = [[\"h\", [], [70000]]]", []string{`net.blacklist = ["h", [], [70000]]: give ["host", ["scheme"], [port]]: a port is a number`}},
		{"blacklist scheme", "[net]\nblacklist = [[\"h\", [\"tpc\"], []]]", []string{`net.blacklist = ["h", ["tpc"], []]: give ["host", ["scheme"], [port]]: unknown transport "tpc"`}},
		{"blacklist host", "[net]\nblacklist = [[\"2606:4700::2\", [], []]]", []string{`net.blacklist = ["2606:4700::2", [], []]: give ["host", ["scheme"], [port]]: the host is`}},
		{"blacklist host with port", "[net]\nblacklist = [[\"h:9\", [], []]]", []string{`net.blacklist = ["h:9", [], []]: give`}},
		{"blacklist of the wrong shape", "[net]\nblacklist = [\"h\", [\"h\", \"tcp\", 1], [\"h\", [], 1]]", []string{`net.blacklist = "h": give`, `net.blacklist = ["h", "tcp", 1]: give ["host", ["scheme"], [port]]: the second part`, `net.blacklist = ["h", [], 1]: give ["host", ["scheme"], [port]]: the third part`}},

		{"not TOML", "[net]\nlocalnet = yes", []string{"not TOML: "}},
		{"key twice", "[net]\nlocalnet = true\nlocalnet = false", []string{"not TOML: key localnet is already defined"}},
	} {
		t.Run(tt.name, func(t *testing.T) { setup{toml: tt.toml}.wantFaults(t, tt.want...) })
	}
}

func TestFaultsAreInTheOrderOfTheFileWithTheirLines(t *testing.T) {
	faults, file := setup{
		toml: "# one\n[net]\nlocalnet = 1\n\nnope = [\n  1,\n]\n[net.profiles]\ntcp = {seeds = [], seed = 1}\n[log]\nlevel = 3\n",
		env:  []string{"DCHAT_NET__OUTBOUND_CONNECTIONS=x"},
		args: []string{"--inbound-slots", "many"},
	}.mustFail(t)
	want := []string{file + ":3: net.localnet", file + ":5: net.nope", file + ":9: net.profiles.tcp.seed:", file + ":11: log.level",
		"DCHAT_NET__OUTBOUND_CONNECTIONS: net.outbound_connections", "--inbound-slots: net.inbound_connections"}
	for i, f := range faults {
		if i >= len(want) || !strings.HasPrefix(f.String(), want[i]) {
			t.Errorf("fault %d: %s", i, f)
		}
	}
	if len(faults) != len(want) {
		t.Errorf("%d faults, want %d", len(faults), len(want))
	}
}

func TestFaultsKeepSecretsAndControlCharacters(t *testing.T) {
	faults, _ := setup{
		toml: "[net]\ntor_socks5_proxy = \"socks5://user:hunter2@h:x/?hunter2\"\ni2p_socks5_proxy = \"socks5://u:hunter2#2@h:1\"\nnym_socks5_proxy = \"socks5://u:hunter2?2@h:1\"\npeers = [\"nope://u:hunter2@h:1\", \"tcp://u:hunter2@h\"]\nnode_id = [\"\\u001b[31m\\u202e\"]\n\"\\u001b]0;\\u0007\" = 1\n[rpc]\nrpc_listen=\"foo://u:hunter2@h:1\"\n",
		env:  []string{"DCHAT_NET__SEEDS=tcp:u:hunter2@h:x,\x1b[2J\xff"},
	}.mustFail(t)
	if len(faults) != 10 {
		t.Errorf("%d faults, want 10", len(faults))
	}
	for _, f := range faults {
		if strings.Contains(f.String(), "hunter2") {
			t.Errorf("the password is told: %s", f)
		}
		if i := strings.IndexFunc(f.String(), func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("unprintable: %q", f.String())
		}
	}
}

func TestLongValuesAreCut(t *testing.T) {
	faults, file := setup{toml: "[net]\nlocalnet = \"" + strings.Repeat("x", 1<<16) + "\"\nnode_id = [" + strings.Repeat("1,", 1<<16) + "]\n"}.mustFail(t)
	for _, f := range faults {
		if len(f.String()) > len(file)+200 {
			t.Errorf("%d bytes", len(f.String()))
		}
	}
}
