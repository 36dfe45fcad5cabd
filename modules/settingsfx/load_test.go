package settingsfx

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"
	"go.uber.org/zap/zapcore"

	"dchat/chat"
	"dchat/modules/logfx"
	"dchat/modules/rpcfx"
	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/wire"
)

func addrs(texts ...string) (list []addr.Addr) {
	for _, text := range texts {
		list = append(list, addr.MustParse(text))
	}
	return list
}

// full sets every key to something that is not its default.
const full = `
[rpc]
rpc_listen = "http+tcp://127.0.0.1:1"
rpc_disabled_methods = ["p2p.get_info"]
[net]
active_profiles = ["socks5", "tcp"]
mixed_profiles = ["tor"]
outbound_connections = 1
inbound_connections = 2
magic_bytes = [1, 2, 3, 4]
localnet = true
node_id = "me"
hostlist = "~/hosts"
p2p_datastore = "/data"
getaddrs_max = 3
outbound_peer_discovery_cooloff_time = 4
outbound_peer_discovery_attempt_time = 6
greylist_refinery_interval = 7
known_peer_percent = 9
disable_greys = true
time_with_no_connections = 11
ban_policy = "relaxed"
ban_time = 8
dial_names = true
blacklist = [["example.com", ["tcp"], [8551, 23331]], ["[::1]", [], []]]
tor_socks5_proxy = "socks5://127.0.0.1:9050"
nym_socks5_proxy = "socks5://127.0.0.1:1080"
i2p_socks5_proxy = "socks5://127.0.0.1:9"
app_name = "other"
app_version = "1.2.3"
max_message = 2048
send_queue = 65536
write_timeout = 12
hide_features = true
port_mapping = true
inbound = ["tcp://127.0.0.1:0"]
external_addrs = ["tcp://h:1"]
peers = ["tcp://h:2"]
seeds = ["tcp://h:3"]
[net.profiles."tcp"]
inbound = ["tcp+tls://127.0.0.1:0"]
external_addrs = ["tcp://h:4"]
peers = ["tcp://h:5"]
seeds = ["tcp://h:6"]
outbound_connect_timeout = 13
channel_handshake_timeout = 14
channel_heartbeat_interval = 15
[net.profiles.socks5]
seeds = ["socks5://p:1/h:7"]
[chat]
history_messages = 16
history_bytes = 17000000
[log]
level = "warn"
format = "json"
file = "~/log"
`

func TestEveryKeyReachesItsSetting(t *testing.T) {
	got, file, err := setup{toml: full}.load(t)
	if err != nil {
		t.Fatal(err)
	}
	home, three := filepath.Dir(file), uint32(3)
	want := p2p.Settings{
		AppName: "other", AppVersion: wire.Semver{Major: 1, Minor: 2, Patch: 3},
		NodeID: "me", MagicBytes: [4]byte{1, 2, 3, 4},
		Inbound:        addrs("tcp://127.0.0.1:0", "tcp+tls://127.0.0.1:0"),
		ExternalAddrs:  addrs("tcp://h:1", "tcp://h:4"),
		Peers:          addrs("tcp://h:2", "tcp://h:5"),
		Seeds:          addrs("tcp://h:3", "socks5://p:1/h:7", "tcp://h:6"),
		ActiveProfiles: []string{"socks5", "tcp"}, MixedProfiles: []string{"tor"},
		Profiles: map[string]p2p.Profile{
			"tcp":    {ConnectTimeout: 13 * time.Second, HandshakeTimeout: 14 * time.Second, HeartbeatInterval: 15 * time.Second},
			"socks5": p2p.DefaultProfile("socks5"),
		},
		OutboundConnections: 1, InboundConnections: 2, Localnet: true,
		Datastore: "/data", Hostlist: filepath.Join(home, "hosts"), GetAddrsMax: &three,
		DiscoveryCooloff: 4 * time.Second, DiscoveryAttempt: 6 * time.Second, RefineryInterval: 7 * time.Second,
		KnownPeerPercent: 9, DisableGreys: true, TimeWithNoConnections: 11 * time.Second, BanPolicy: p2p.BanRelaxed,
		BanTime: 8 * time.Second, DialNames: true,
		Blacklist:      []p2p.BlacklistEntry{{Host: "example.com", Schemes: []string{"tcp"}, Ports: []uint16{8551, 23331}}, {Host: "[::1]"}},
		TorSocks5Proxy: addr.MustParse("socks5://127.0.0.1:9050"), NymSocks5Proxy: addr.MustParse("socks5://127.0.0.1:1080"), I2PSocks5Proxy: addr.MustParse("socks5://127.0.0.1:9"),
		MaxMessage: 2048, SendQueue: 65536, WriteTimeout: 12 * time.Second, HideFeatures: true, PortMapping: true,
	}
	if !reflect.DeepEqual(got.P2P, want) {
		t.Errorf("got  %+v\nwant %+v", got.P2P, want)
	}
	for v, i := reflect.ValueOf(got.P2P), 0; i < v.NumField(); i++ {
		if v.Type().Field(i).Name == "SeedNode" { // for a seed, which has a file of its own
			continue
		}
		if reflect.DeepEqual(v.Field(i).Interface(), reflect.ValueOf(p2p.DefaultSettings()).Field(i).Interface()) {
			t.Errorf("no key sets %s", v.Type().Field(i).Name)
		}
	}
	if want := (rpcfx.Settings{Listen: addr.MustParse("http+tcp://127.0.0.1:1"), Disabled: []string{"p2p.get_info"}}); !reflect.DeepEqual(got.RPC, want) {
		t.Errorf("got %+v, want %+v", got.RPC, want)
	}
	if want := (chat.Settings{HistoryMessages: 16, HistoryBytes: 17000000}); got.Chat != want {
		t.Errorf("got %+v, want %+v", got.Chat, want)
	}
	if want := (logfx.Settings{Level: zapcore.WarnLevel, Format: logfx.JSON, File: filepath.Join(home, "log")}); got.Log != want {
		t.Errorf("got %+v, want %+v", got.Log, want)
	}
}

func TestDefaultFile(t *testing.T) {
	loaded := setup{toml: defaultFile}.mustLoad(t)
	home := filepath.Dir(loaded.File)
	want := p2p.DefaultSettings()
	want.Datastore = filepath.Join(home, ".local/share/darkfi/dchatd")
	want.Hostlist = filepath.Join(home, ".local/share/darkfi/dchatd/hostlist.tsv")
	if !reflect.DeepEqual(loaded.P2P, want) {
		t.Errorf("got  %+v\nwant %+v", loaded.P2P, want)
	}
	if loaded.RPC.Listen.String() != "tcp://127.0.0.1:51054/" || loaded.RPC.Disabled != nil {
		t.Errorf("RPC: %+v", loaded.RPC)
	}
	if loaded.Chat != chat.DefaultSettings() || loaded.Log != logfx.DefaultSettings() || len(loaded.Warnings) > 0 {
		t.Errorf("got %+v, %+v, warnings %q", loaded.Chat, loaded.Log, loaded.Warnings)
	}
}

// What is commented out in the default file is a key, and has its default or is an example.
func TestDefaultFileUncommented(t *testing.T) {
	var text strings.Builder
	for line := range strings.Lines(defaultFile) {
		if strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "# ") {
			line = line[1:]
		}
		text.WriteString(line)
	}
	loaded := setup{toml: text.String()}.mustLoad(t)
	if n := len(keys(schemes)); len(loaded.fields) != len(newSchemaFields())+2*7 || n < len(loaded.fields) {
		t.Errorf("%d fields", len(loaded.fields))
	}
	for _, f := range loaded.fields {
		inProfile := strings.HasPrefix(f.key, "net.profiles.") && !strings.HasSuffix(f.key, "_timeout") && !strings.HasSuffix(f.key, "_interval")
		if loaded.Origins[f.key].Kind != FromFile && !inProfile {
			t.Errorf("the default file does not speak of %s", f.key)
		}
	}
	examples := map[string]bool{"net.peers": true, "net.inbound": true, "net.external_addrs": true, "net.blacklist": true, "net.getaddrs_max": true, "net.tor_socks5_proxy": true, "net.nym_socks5_proxy": true, "log.file": true}
	defaults := make(map[string]string)
	for _, f := range (setup{toml: defaultFile}).mustLoad(t).fields {
		defaults[f.key] = tomlValue(f.value.Interface())
	}
	for _, f := range loaded.fields {
		if got := tomlValue(f.value.Interface()); got != defaults[f.key] && !examples[f.key] && !strings.Contains(got, "/.local/share/") {
			t.Errorf("%s is %s in a comment, and %s by default", f.key, got, defaults[f.key])
		}
	}
}

func newSchemaFields() []field {
	s := newSchema(&Loaded{})
	return s.fields()
}

func TestFirstRunWritesTheDefaultFileAndGoesOn(t *testing.T) {
	home := t.TempDir()
	for _, tt := range []struct {
		name string
		env  []string
		args []string
		want string
	}{
		{"home", nil, nil, home + "/.config/darkfi/dchatd_config.toml"},
		{"XDG", []string{"XDG_CONFIG_HOME=" + home + "/xdg"}, nil, home + "/xdg/darkfi/dchatd_config.toml"},
		{"relative XDG is ignored", []string{"XDG_CONFIG_HOME=xdg", "HOME=" + home + "/other"}, nil, home + "/other/.config/darkfi/dchatd_config.toml"},
		{"explicit", nil, []string{"-c", "~/mine.toml"}, home + "/mine.toml"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := Source{Flags: parse(t, tt.args...), Env: append([]string{"HOME=" + home}, tt.env...)}
			first, err := Load(src)
			if err != nil {
				t.Fatal(err)
			}
			if first.File != tt.want || !first.Created {
				t.Errorf("file %s, created %v; want %s", first.File, first.Created, tt.want)
			}
			text, err := os.ReadFile(tt.want)
			if err != nil || string(text) != defaultFile {
				t.Errorf("not the default file (%v)", err)
			}
			if info, err := os.Stat(tt.want); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v (%v), want 0600", info.Mode(), err)
			}
			if dir := filepath.Dir(tt.want); dir != home {
				if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
					t.Errorf("directory: mode %v (%v), want 0700", info.Mode(), err)
				}
				if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
					t.Errorf("%v beside it (%v)", entries, err)
				}
			}
			second, err := Load(src)
			if err != nil || second.Created || second.File != tt.want {
				t.Fatalf("second run: %+v, %v", second, err)
			}
			if !reflect.DeepEqual(first.P2P, second.P2P) || first.RPC.Listen != second.RPC.Listen {
				t.Error("the first run had other settings than the second")
			}
		})
	}
}

func TestReadOnlyWritesNothing(t *testing.T) {
	home := t.TempDir()
	env := []string{"HOME=" + home}
	loaded, err := Load(Source{Env: env, ReadOnly: true})
	if err != nil || loaded.Created || loaded.File != "" || loaded.RPC.Listen.String() != "tcp://127.0.0.1:51054/" {
		t.Errorf("got %+v, %v; want the text of the default file", loaded, err)
	}
	_, err = Load(Source{Env: env, ReadOnly: true, Flags: parse(t, "--config", home+"/x.toml")})
	if err == nil || !strings.Contains(err.Error(), home+"/x.toml: there is no such file") {
		t.Errorf("got %v", err)
	}
	if entries, err := os.ReadDir(home); err != nil || len(entries) != 0 {
		t.Errorf("written: %v (%v)", entries, err)
	}
}

func TestFileThatCannotBeReadOrWritten(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(home, "large")
	if err := os.WriteFile(large, []byte(strings.Repeat("#", maxFile+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		env  []string
		args []string
		want string
	}{
		{"directory", nil, []string{"--config", home}, home + ": cannot be read: "},
		{"too large", nil, []string{"--config", large}, large + ": cannot be read: larger than 1048576 bytes"},
		{"below a file", nil, []string{"--config", file + "/x.toml"}, file + "/x.toml: cannot be read: not a directory"},
		{"no name", nil, []string{"--config="}, "--config needs the path of a file"},
		{"no home", []string{"HOME="}, nil, "Set HOME"},
		{"no home for a path in it", []string{"HOME="}, []string{"--config", file + ".toml"}, `net.hostlist = "~/.local/share/darkfi/dchatd/hostlist.tsv": where is ~/?`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(Source{Flags: parse(t, tt.args...), Env: append([]string{"HOME=" + home}, tt.env...)})
			var config *ConfigError
			if !errors.As(err, &config) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestDefaultFileThatCannotBeWrittenIsUsedAllTheSame(t *testing.T) {
	home := t.TempDir()
	if err := os.Symlink("/proc/self/no/such/place", filepath.Join(home, ".config")); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(Source{Env: []string{"HOME=" + home}})
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Created || loaded.File != "" || len(loaded.P2P.ActiveProfiles) != 2 {
		t.Errorf("got %+v", loaded)
	}
	if len(loaded.Warnings) != 1 || !strings.Contains(loaded.Warnings[0], home+"/.config/darkfi/dchatd_config.toml: the default configuration is used, but cannot be written there: ") {
		t.Errorf("warnings %q", loaded.Warnings)
	}
}

func TestFailedWriteLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "taken"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(filepath.Join(dir, "taken"), "x"); err == nil {
		t.Fatal("a directory was overwritten")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v (%v)", entries, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "taken")); errors.Is(err, fs.ErrNotExist) {
		t.Error("the directory is gone")
	}
}

func TestModuleProvidesEachSettings(t *testing.T) {
	loaded := setup{toml: full}.mustLoad(t)
	var gotP2P p2p.Settings
	var gotChat chat.Settings
	var gotRPC rpcfx.Settings
	var gotLog logfx.Settings
	other := chat.Settings{HistoryMessages: 1, HistoryBytes: 4 << 20}
	app := fxtest.New(t, Module(loaded), fx.Replace(other), fx.Populate(&gotP2P, &gotChat, &gotRPC, &gotLog))
	app.RequireStart().RequireStop()
	if !reflect.DeepEqual(gotP2P, loaded.P2P) || !reflect.DeepEqual(gotRPC, loaded.RPC) || gotLog != loaded.Log {
		t.Error("not what was loaded")
	}
	if gotChat != other {
		t.Errorf("got %+v, want the replacement", gotChat)
	}
}

// Whatever a file holds, it is loaded or refused with at least one reason, and never panics.
func FuzzFile(f *testing.F) {
	f.Add(defaultFile)
	f.Add(full)
	f.Add("verbose = 1\nrpc_listen = \"x\"\n[net]\ngold_connect_count = 1\n")
	f.Add("net = {profiles = {tcp = {seeds = [1, \"\"]}}, localnet = 1979-05-27T07:32:00Z}\n[[rpc]]\n")
	f.Add("[net]\nblacklist = [[\"h\", [\"tcp\"], [1]], [], 1, [[], [], []]]\nmagic_bytes = [[], 1.5, -1, 256]\n")
	f.Add("a.\"b.c\".d = 1\n[net.profiles.\"tcp\\u0000\"]\n")
	f.Fuzz(func(t *testing.T, text string) {
		l := newLoader(Source{Env: []string{"HOME=/home/test"}}, dchatd)
		l.name = "fuzz.toml"
		l.read(text)
		for _, fault := range l.faults {
			if fault.Problem == "" || strings.ContainsAny(fault.String(), "\n\r\x1b") {
				t.Errorf("%q", fault.String())
			}
		}
		if len(l.faults) > 0 {
			return
		}
		if err := errors.Join(l.P2P.Validate(), l.Chat.Validate(), l.Log.Validate()); err != nil {
			t.Errorf("loaded, and not valid: %v", err)
		}
		var out strings.Builder
		if err := l.Show(&out); err != nil {
			t.Error(err)
		}
	})
}
