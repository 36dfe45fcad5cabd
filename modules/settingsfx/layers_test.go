package settingsfx

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"
)

func TestFlagsAreOverTheEnvironmentOverTheFileOverTheDefaults(t *testing.T) {
	toml := "[net]\noutbound_connections = 1\ninbound_connections = 1\nnode_id = \"file\""
	env := []string{"DCHAT_NET__OUTBOUND_CONNECTIONS=2", "DCHAT_NET__INBOUND_CONNECTIONS=2", "DCHAT_NET__NODE_ID="}
	loaded := setup{toml: toml, env: env, args: []string{"--outbound-slots", "3"}}.mustLoad(t)
	s := loaded.P2P
	if s.OutboundConnections != 3 || s.InboundConnections != 2 || s.NodeID != "file" || s.KnownPeerPercent != 70 {
		t.Errorf("got %d (flag: 3), %d (environment: 2), %q (file, as the variable is empty), %d (default: 70)",
			s.OutboundConnections, s.InboundConnections, s.NodeID, s.KnownPeerPercent)
	}
	want := map[string]Origin{
		"net.outbound_connections": {Kind: FromFlag, Name: "--outbound-slots"},
		"net.inbound_connections":  {Kind: FromEnv, Name: "DCHAT_NET__INBOUND_CONNECTIONS"},
		"net.node_id":              {Kind: FromFile, Name: loaded.File, Line: 4},
	}
	if !reflect.DeepEqual(loaded.Origins, want) {
		t.Errorf("got %v, want %v", loaded.Origins, want)
	}
}

// The words of the file mean the same in a variable and, where there is one, in a flag.
func TestVariablesAndFlagsTakeEveryType(t *testing.T) {
	for _, tt := range []struct {
		key   string
		toml  string
		env   string
		flags []string
	}{
		{"rpc.rpc_listen", `"unix:///run/d"`, "DCHAT_RPC__RPC_LISTEN=unix:///run/d", []string{"--rpc-listen", "unix:///run/d"}},
		{"rpc.rpc_disabled_methods", `["a", "b"]`, "DCHAT_RPC__RPC_DISABLED_METHODS=a, b,", []string{"--rpc-disabled-methods", "a,b"}},
		{"net.inbound", `["tcp://h:1", "tcp://h:2"]`, `DCHAT_NET__INBOUND=["tcp://h:1", "tcp://h:2"]`, []string{"--accept", "tcp://h:1", "--accept=tcp://h:2"}},
		{"net.external_addrs", `["tcp://h:1"]`, "DCHAT_NET__EXTERNAL_ADDRS=tcp://h:1", []string{"--external-addrs", "tcp://h:1"}},
		{"net.port_mapping", "true", "DCHAT_NET__PORT_MAPPING=true", []string{"--port-mapping"}},
		{"net.peers", `["tcp://[::1]:1"]`, "DCHAT_NET__PEERS=tcp://[::1]:1", []string{"--peers", "tcp://[::1]:1"}},
		{"net.seeds", `["tcp://h:1"]`, "DCHAT_NET__SEEDS=tcp://h:1", []string{"--seeds", "tcp://h:1"}},
		{"net.outbound_connections", "3", "DCHAT_NET__OUTBOUND_CONNECTIONS=3", []string{"--outbound-slots", "3"}},
		{"net.inbound_connections", "3", "DCHAT_NET__INBOUND_CONNECTIONS=3", []string{"--inbound-slots=3"}},
		{"net.active_profiles", `[]`, "DCHAT_NET__ACTIVE_PROFILES=,", []string{"--network-profiles="}},
		{"net.mixed_profiles", `["tcp", "tor"]`, "DCHAT_NET__MIXED_PROFILES=tcp,tor", []string{"--mixed-profiles", "tcp,tor"}},
		{"net.tor_socks5_proxy", `"socks5://h:1"`, "DCHAT_NET__TOR_SOCKS5_PROXY=socks5://h:1", []string{"--tor-socks5-proxy", "socks5://h:1"}},
		{"net.nym_socks5_proxy", `"socks5://h:1"`, "DCHAT_NET__NYM_SOCKS5_PROXY=socks5://h:1", []string{"--nym-socks5-proxy", "socks5://h:1"}},
		{"net.i2p_socks5_proxy", `"socks5://h:1"`, "DCHAT_NET__I2P_SOCKS5_PROXY=socks5://h:1", []string{"--i2p-socks5-proxy", "socks5://h:1"}},
		{"net.localnet", "true", "DCHAT_NET__LOCALNET=true", []string{"--localnet"}},
		{"net.disable_greys", "true", "DCHAT_NET__DISABLE_GREYS=1", []string{"--disable-greys=true"}},
		{"net.ban_time", "7", "DCHAT_NET__BAN_TIME=7", []string{"--ban-time", "7"}},
		{"net.dial_names", "true", "DCHAT_NET__DIAL_NAMES=true", []string{"--dial-names"}},
		{"net.p2p_datastore", `"/d"`, "DCHAT_NET__P2P_DATASTORE=/d", []string{"--p2p-datastore", "/d"}},
		{"net.hostlist", `"/h"`, "DCHAT_NET__HOSTLIST=/h", []string{"--hostlist", "/h"}},
		{"net.magic_bytes", "[1, 2, 3, 4]", "DCHAT_NET__MAGIC_BYTES=01020304", nil},
		{"net.magic_bytes", `"01020304"`, "DCHAT_NET__MAGIC_BYTES=[1,2,3,4]", nil},
		{"net.getaddrs_max", "5", "DCHAT_NET__GETADDRS_MAX=5", nil},
		{"net.write_timeout", "5", "DCHAT_NET__WRITE_TIMEOUT=5", nil},
		{"net.app_version", `"1.2.3"`, "DCHAT_NET__APP_VERSION=1.2.3", nil},
		{"net.blacklist", `[["h", ["tcp"], [1]]]`, `DCHAT_NET__BLACKLIST=[["h", ["tcp"], [1]]]`, nil},
		{"chat.history_messages", "5", "DCHAT_CHAT__HISTORY_MESSAGES=5", nil},
		{"log.level", `"debug"`, "DCHAT_LOG__LEVEL=debug", []string{"-v"}},
		{"log.format", `"json"`, "DCHAT_LOG__FORMAT=json", []string{"--log-format", "json"}},
		{"log.file", `"/l"`, "DCHAT_LOG__FILE=/l", []string{"-l", "/l"}},
	} {
		t.Run(tt.key, func(t *testing.T) {
			table, name := tt.key[:strings.IndexByte(tt.key, '.')], lastPart(tt.key)
			want := setup{toml: "[" + table + "]\n" + name + " = " + tt.toml}.mustLoad(t)
			same := func(how string, got *Loaded) {
				if !reflect.DeepEqual(got.P2P, want.P2P) || !reflect.DeepEqual(got.RPC, want.RPC) || got.Chat != want.Chat || got.Log != want.Log {
					t.Errorf("%s: got %+v, want %+v", how, got, want)
				}
				if len(got.Origins) != 1 || got.Origins[tt.key].Kind == FromDefault {
					t.Errorf("%s: origins %v", how, got.Origins)
				}
			}
			same("environment", setup{env: []string{tt.env}}.mustLoad(t))
			if tt.flags != nil {
				same("flags", setup{args: tt.flags}.mustLoad(t))
			}
		})
	}
}

func TestEveryFlagHasAKeyAndEveryKeyAVariable(t *testing.T) {
	known := keys(schemes)
	for flag, key := range flagKeys {
		if parse(t).Lookup(flag) == nil {
			t.Errorf("--%s is not declared", flag)
		}
		if known[key] == nil {
			t.Errorf("--%s sets %s, which is no key", flag, key)
		}
	}
	names := make(map[string]string)
	for key := range known {
		if other, ok := names[dchatd.envName(key)]; ok {
			t.Errorf("%s sets %s and %s", dchatd.envName(key), key, other)
		}
		names[dchatd.envName(key)] = key
	}
}

func TestVariablesMakeProfiles(t *testing.T) {
	loaded := setup{env: []string{"DCHAT_NET__ACTIVE_PROFILES=tcp+tls", "DCHAT_NET__PROFILES__TCP_TLS__OUTBOUND_CONNECT_TIMEOUT=3", "DCHAT_NET__PROFILES__TCP_TLS__SEEDS=tcp+tls://h:1"}}.mustLoad(t)
	if p := loaded.P2P.Profiles["tcp+tls"]; p.ConnectTimeout != 3*time.Second || p.HandshakeTimeout != 10*time.Second {
		t.Errorf("got %+v", p)
	}
	if len(loaded.P2P.Seeds) != 1 {
		t.Errorf("seeds %v", loaded.P2P.Seeds)
	}
}

func TestListsReplaceAndTablesMerge(t *testing.T) {
	toml := "[net]\nactive_profiles = [\"tcp\"]\nseeds = [\"tcp://a:1\", \"tcp://b:1\"]\n[net.profiles.tcp]\nseeds = [\"tcp://c:1\"]\nchannel_handshake_timeout = 4\n"
	s := setup{toml: toml, args: []string{"--seeds", "tcp://d:1"}, env: []string{"DCHAT_NET__PROFILES__TCP__OUTBOUND_CONNECT_TIMEOUT=3"}}.mustLoad(t).P2P
	if !reflect.DeepEqual(s.Seeds, addrs("tcp://d:1", "tcp://c:1")) {
		t.Errorf("seeds %v: the flag replaces those of [net], and the profile adds its own", s.Seeds)
	}
	if p := s.Profiles["tcp"]; p.ConnectTimeout != 3*time.Second || p.HandshakeTimeout != 4*time.Second {
		t.Errorf("profile %+v", p)
	}
}

func TestWrongVariablesAndFlags(t *testing.T) {
	for _, tt := range []struct{ env, flag, want string }{
		{"DCHAT_NET__LOCALNET=perhaps", "--localnet=perhaps", `: net.localnet = "perhaps": give true or false`},
		{"DCHAT_NET__OUTBOUND_CONNECTIONS=8.5", "--outbound-slots=8.5", `: net.outbound_connections = "8.5": give a whole number`},
		{"DCHAT_NET__OUTBOUND_CONNECTIONS=70000", "--outbound-slots=70000", `: net.outbound_connections = 70000: give a number from 0 to 1024`},
		{"DCHAT_NET__OUTBOUND_CONNECTIONS=-1", "--outbound-slots=-1", `: net.outbound_connections = -1: give a number from 0 to 1024`},
		{"DCHAT_NET__PEERS=tcp://h:1,h:2", "--peers=tcp://h:1,h:2", `: net.peers = "h:2": `},
		{"DCHAT_NET__PEERS=[tcp://h:1]", "--peers=[tcp://h:1]", `: net.peers = "[tcp://h:1]": give a list in square brackets`},
		{"DCHAT_NET__ACTIVE_PROFILES=tcp", "--network-profiles=tcp", `: net.active_profiles = "tcp": an active profile needs its table`},
		{"DCHAT_RPC__RPC_LISTEN=51054", "--rpc-listen=51054", `: rpc.rpc_listen = "51054": give an address`},
		{"DCHAT_LOG__FORMAT=xml", "--log-format=xml", `: log.format = "xml": give "console" or "json"`},
	} {
		name, _, _ := strings.Cut(tt.env, "=")
		faults, _ := setup{env: []string{tt.env}}.mustFail(t)
		if len(faults) != 1 || !strings.HasPrefix(faults[0].String(), name+tt.want) {
			t.Errorf("%s: got %v", tt.env, faults)
		}
		name, _, _ = strings.Cut(tt.flag, "=")
		faults, _ = setup{args: []string{tt.flag}}.mustFail(t)
		if len(faults) != 1 || !strings.HasPrefix(faults[0].String(), name+tt.want) {
			t.Errorf("%s: got %v", tt.flag, faults)
		}
	}
}

// A variable with the shape of a key is a mistake; another one may come from a container platform.
func TestUnknownVariables(t *testing.T) {
	faults, _ := setup{env: []string{"DCHAT_NET__OUTBOND_CONNECTIONS=3"}}.mustFail(t)
	if want := "DCHAT_NET__OUTBOND_CONNECTIONS: no such setting; the nearest one is DCHAT_NET__OUTBOUND_CONNECTIONS"; len(faults) != 1 || faults[0].String() != want {
		t.Errorf("got %v, want %s", faults, want)
	}
	loaded := setup{toml: defaultFile, env: []string{"DCHAT_OUTBOUND_SLOTS=3", "OUTBOUND_SLOTS=3", "DCHAT_PORT=tcp://10.0.0.1:1"}}.mustLoad(t)
	if loaded.P2P.OutboundConnections != 8 || len(loaded.Warnings) != 2 || !strings.HasPrefix(loaded.Warnings[0], "DCHAT_OUTBOUND_SLOTS: has no effect: a setting has its table in its name, as DCHAT_LOG__LEVEL") {
		t.Errorf("got %d slots, warnings %q", loaded.P2P.OutboundConnections, loaded.Warnings)
	}
}

func TestVerboseIsDebug(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want zapcore.Level
	}{{nil, zapcore.WarnLevel}, {[]string{"-v"}, zapcore.DebugLevel}, {[]string{"-vv"}, zapcore.DebugLevel}, {[]string{"--verbose", "-v"}, zapcore.DebugLevel}} {
		if got := (setup{toml: "[log]\nlevel = \"warn\"", args: tt.args}).mustLoad(t).Log.Level; got != tt.want {
			t.Errorf("%v: got %v, want %v", tt.args, got, tt.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	const quiet = "active_profiles = [\"tcp\"]\n[net.profiles.tcp]\n"
	for _, tt := range []struct{ name, toml, want string }{
		{"rpc_listen at the top", "rpc_listen = \"tcp://127.0.0.1:1\"\n[net]\n" + quiet, ":1: rpc_listen has no effect outside of a table: put it under [rpc]"},
		{"verbose at the top", "verbose = 1\n[net]\n" + quiet, ":1: verbose has no effect"},
		{"gold_connect_count", "[net]\ngold_connect_count = 2\n" + quiet, ":2: net.gold_connect_count has no effect any more"},
		{"white_connect_percent", "[net]\nwhite_connect_percent = 2\n" + quiet, ":2: net.white_connect_percent has no effect any more"},
		{"time outside of a profile", "[net]\nchannel_handshake_timeout = 2\n" + quiet, ":2: net.channel_handshake_timeout has no effect here: put it under [net.profiles.NAME]"},
		{"RPC for everyone", "[rpc]\nrpc_listen = \"tcp://0.0.0.0:1\"\n[net]\n" + quiet, ":2: rpc.rpc_listen is tcp://0.0.0.0:1/: whoever reaches it can read and write as you"},
		{"RPC on a name", "[rpc]\nrpc_listen = \"http+tcp://u:secret@host:1\"\n[net]\n" + quiet, ":2: rpc.rpc_listen is http+tcp://host:1: whoever"},
		{"nothing to dial with", "[net]\nactive_profiles = []\n", ":2: net.active_profiles is empty"},
		{"mixed, and carried by none", "[net]\nmixed_profiles = [\"tor\"]\n" + quiet, `:2: net.mixed_profiles has "tor", which none of the active profiles carries: its addresses are not dialled`},
		{"mixed, and carried by a proxy that is not set", "[net]\nmixed_profiles = [\"tcp\"]\nactive_profiles = [\"socks5\"]\n[net.profiles.socks5]\n", `:2: net.mixed_profiles has "tcp", which none of the active profiles carries: its addresses are not dialled`},
		{"mixed, and dialled directly all the same", "[net]\nmixed_profiles = [\"tcp\"]\n" + quiet, `:2: net.mixed_profiles has "tcp", which none of the active profiles carries: its addresses are dialled directly, and see where this node is`},
		{"the table of a mixed one", "[net]\nactive_profiles = [\"tor\"]\nmixed_profiles = [\"tcp\"]\n[net.profiles.tor]\n[net.profiles.tcp]\nseeds = [\"tcp://s:2\"]\noutbound_connect_timeout = 1\n",
			":5: net.profiles.tcp has no effect, as tcp is a mixed profile: put its peers and seeds in [net]"},
		{"pings all the time", "[net]\n" + quiet + "channel_heartbeat_interval = 2\n", ":4: net.profiles.tcp.channel_heartbeat_interval is so short that peers put off their answers"},
		{"none: an empty table of a mixed one, and one that is not active", "[net]\nactive_profiles = [\"tor\"]\nmixed_profiles = [\"tcp\"]\n[net.profiles.tor]\n[net.profiles.tcp]\n[net.profiles.quic]\nseeds = [\"quic://s:2\"]\n", ""},
		{"none: mixed, and carried by a proxy", "[net]\nmixed_profiles = [\"tcp\", \"tor\"]\nactive_profiles = [\"socks5\"]\ntor_socks5_proxy = \"socks5://127.0.0.1:9050\"\n[net.profiles.socks5]\n", ""},
		{"none: RPC on IPv6 loopback", "[rpc]\nrpc_listen = \"tcp://[::1]:1\"\n[net]\n" + quiet, ""},
		{"none: RPC on a unix socket", "[rpc]\nrpc_listen = \"unix:///s\"\n[net]\n" + quiet, ""},
		{"none: RPC on localhost", "[rpc]\nrpc_listen = \"http+tcp://localhost:1\"\n[net]\n" + quiet, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			loaded := setup{toml: tt.toml}.mustLoad(t)
			if tt.want == "" {
				if len(loaded.Warnings) > 0 {
					t.Errorf("got %q", loaded.Warnings)
				}
				return
			}
			if len(loaded.Warnings) != 1 || !strings.HasPrefix(loaded.Warnings[0], loaded.File+tt.want) {
				t.Errorf("got %q, want one with %s", loaded.Warnings, tt.want)
			}
		})
	}
}
