package settingsfx

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"go.uber.org/zap/zapcore"

	"dchat/modules/logfx"
	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/wire"
)

// lilithSource is a file of the seed daemon, which is in a home directory of its own.
func lilithSource(t *testing.T, toml string, args ...string) Source {
	t.Helper()
	home := t.TempDir()
	file := filepath.Join(home, "test.toml")
	if err := os.WriteFile(file, []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
	return Source{Flags: parseLilith(t, append([]string{"--config", file}, args...)...), Env: []string{"HOME=" + home}}
}

// loadLilith loads a file of the seed daemon.
func loadLilith(t *testing.T, toml string, args ...string) (loaded *LoadedLilith, file string, err error) {
	t.Helper()
	src := lilithSource(t, toml, args...)
	loaded, err = LoadLilith(src)
	return loaded, src.Flags.Lookup("config").Value.String(), err
}

func mustLoadLilith(t *testing.T, toml string, args ...string) *LoadedLilith {
	t.Helper()
	loaded, _, err := loadLilith(t, toml, args...)
	if err != nil {
		t.Fatalf("%s\n%v", toml, err)
	}
	return loaded
}

func parseLilith(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	LilithFlags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return fs
}

// aSeed is what every seed has, whatever its network.
func aSeed() p2p.Settings {
	s := p2p.DefaultSettings()
	s.SeedNode = true
	s.OutboundConnections, s.InboundConnections = 0, 512
	s.BanPolicy = p2p.BanRelaxed
	return s
}

func TestEveryKeyOfANetworkReachesItsSetting(t *testing.T) {
	loaded := mustLoadLilith(t, `
[rpc]
rpc_listen = "unix:///run/lilith"
rpc_disabled_methods = ["spawns"]
[network."two"]
accept_addrs = ["tcp://h:1", "tcp+tls://h:2"]
seeds = ["tcp://s:1"]
peers = ["tcp://p:1"]
version = "1.2.3"
app_name = "other"
localnet = true
hostlist = "~/hosts"
datastore = "/data"
magic_bytes = [1, 2, 3, 4]
[network.one]
accept_addrs = ["tcp://h:3"]
[network.nowhere]
accept_addrs = ["tcp://h:0", "tcp://h:0"]
datastore = ""
[log]
level = "warn"
`)
	home := filepath.Dir(loaded.File)
	nowhere, one, two := aSeed(), aSeed(), aSeed()
	nowhere.Inbound = []addr.Addr{addr.MustParse("tcp://h:0"), addr.MustParse("tcp://h:0")}
	one.Inbound = []addr.Addr{addr.MustParse("tcp://h:3")}
	one.Datastore, one.Hostlist = home+"/.local/share/darkfi/lilith/one", home+"/.local/share/darkfi/lilith/one/hostlist.tsv"
	two.Inbound = []addr.Addr{addr.MustParse("tcp://h:1"), addr.MustParse("tcp+tls://h:2")}
	two.Seeds, two.Peers = []addr.Addr{addr.MustParse("tcp://s:1")}, []addr.Addr{addr.MustParse("tcp://p:1")}
	two.AppVersion, two.AppName = wire.Semver{Major: 1, Minor: 2, Patch: 3}, "other"
	two.Localnet = true
	two.Hostlist, two.Datastore = home+"/hosts", "/data"
	two.MagicBytes = [4]byte{1, 2, 3, 4}
	if want := []Network{{"nowhere", nowhere}, {"one", one}, {"two", two}}; !reflect.DeepEqual(loaded.Networks, want) {
		t.Errorf("got  %+v\nwant %+v", loaded.Networks, want)
	}
	if loaded.RPC.Listen != addr.MustParse("unix:///run/lilith") || !slices.Equal(loaded.RPC.Disabled, []string{"spawns"}) || loaded.Log.Level != zapcore.WarnLevel {
		t.Errorf("got %+v, %+v", loaded.RPC, loaded.Log)
	}
}

func TestTheHostListOfANetworkIsInItsDatastore(t *testing.T) {
	loaded := mustLoadLilith(t, "[network.x]\naccept_addrs = [\"tcp://h:1\"]\ndatastore = \"~/x\"\n")
	if got, want := loaded.Networks[0].P2P.Hostlist, filepath.Dir(loaded.File)+"/x/hostlist.tsv"; got != want {
		t.Errorf("it is %s, want %s", got, want)
	}
}

func TestFaultsOfTheFileOfTheSeed(t *testing.T) {
	const network = "[network.x]\naccept_addrs = [\"tcp://h:1\"]\n"
	for _, tt := range []struct {
		name string
		toml string
		want []string // what follows the place
	}{
		{"no network", "", []string{`there is no network: add [network."NAME"] with accept_addrs = `}},
		{"network without addresses", "[network.x]\nlocalnet = true", []string{"network.x: accept_addrs is missing: nobody can reach this seed"}},
		{"network that listens nowhere", "[network.x]\naccept_addrs = []", []string{"network.x.accept_addrs = []: nobody can reach this seed"}},
		{"unknown key", network + "acept_addrs = []", []string{"network.x.acept_addrs: unknown key; the nearest known one is network.x.accept_addrs"}},
		{"key of a node", network + "outbound_connections = 1", []string{"network.x.outbound_connections: unknown key"}},
		{"key outside of a network", "[network]\nmagic_bytes = 1", []string{"network.magic_bytes = 1: this is the name of a table"}},
		{"key at the top", "seeds = []\n" + network, []string{"seeds: unknown key; the nearest known one is network.NAME.seeds"}},
		{"unknown table", "[networkk.x]\naccept_addrs = [\"tcp://h:1\"]", []string{"networkk: unknown table; the nearest known one is network"}},
		{"table of a node", network + "[net]\nlocalnet = true", []string{"net: unknown table; the nearest known one is network"}},
		{"table in a network", network + "[network.x.profiles]", []string{"network.x.profiles: unknown table"}},
		{"network that is a value", "[network]\nx = 5", []string{"network.x = 5: this is the name of a table: write [network.x]"}},
		{"networks in a list", "[[network]]\nname = \"x\"", []string{"network = [{…}]: this is the name of a table: write [network]"}},
		{"name with a dot", "[network.\"x.y\"]\naccept_addrs = [\"tcp://h:1\"]", []string{`network."x.y": a network has a name of 1 to 64 letters`}},
		{"name with a slash", "[network.\"../x\"]\naccept_addrs = [\"tcp://h:1\"]", []string{`network."../x": a network has a name`}},
		{"empty name", "[network.\"\"]\naccept_addrs = [\"tcp://h:1\"]", []string{`network."": a network has a name`}},
		{"long name", "[network." + strings.Repeat("x", 65) + "]\naccept_addrs = [\"tcp://h:1\"]", []string{"network.\"xxx"}},

		{"text for a list", "[network.x]\naccept_addrs = \"tcp://h:1\"", []string{`network.x.accept_addrs = "tcp://h:1": give a list in square brackets`}},
		{"address without a port", "[network.x]\naccept_addrs = [\"tcp://h\"]", []string{`network.x.accept_addrs = "tcp://h/": write it as scheme://host:port`}},
		{"address without a scheme", "[network.x]\naccept_addrs = [\"127.0.0.1:1\"]", []string{`network.x.accept_addrs = "127.0.0.1:1": give an address such as`}},
		{"scheme that is not served", "[network.x]\naccept_addrs = [\"i2p://h.i2p:1\"]", []string{`network.x.accept_addrs = "i2p://h.i2p:1": listen on one of quic, tcp, tcp+tls, unix`}},
		{"unknown scheme", network + "seeds = [\"tpc://h:2\"]", []string{`network.x.seeds = "tpc://h:2": unknown transport "tpc"; the nearest known one is tcp`}},
		{"peer that is a seed", network + "seeds = [\"tcp://s:1\"]\npeers = [\"tcp://s:1\"]", []string{`network.x.peers = "tcp://s:1/": an address is either a peer or a seed`}},
		{"version", network + "version = \"0.4\"", []string{`network.x.version = "0.4": give a version such as`}},
		{"app name", network + "app_name = \"\"", []string{`network.x.app_name = "": give 1 to 64 bytes`}},
		{"number for a truth", network + "localnet = 1", []string{"network.x.localnet = 1: give true or false"}},
		{"number for a path", network + "hostlist = 1\ndatastore = 2", []string{"network.x.hostlist = 1: give a text", "network.x.datastore = 2: give a text"}},
		{"magic", network + "magic_bytes = [1, 2, 3]", []string{"network.x.magic_bytes = [1, 2, 3]: give four numbers"}},
		{"RPC scheme", network + "[rpc]\nrpc_listen = \"quic://h:2\"", []string{`rpc.rpc_listen = "quic://h:2": give an address with tcp, http+tcp or unix`}},
		{"log format", network + "[log]\nformat = \"xml\"", []string{`log.format = "xml": give "console" or "json"`}},
		{"not TOML", "[network", []string{"not TOML"}},

		{"one address in two networks", network + "[network.y]\naccept_addrs = [\"tcp+tls://h:1\"]", []string{`network.y.accept_addrs = "tcp+tls://h:1/": it is in network.x.accept_addrs already`}},
		{"one address twice", "[network.x]\naccept_addrs = [\"tcp://h:1\", \"tcp://h:1\"]", []string{`network.x.accept_addrs = "tcp://h:1/": it is in network.x.accept_addrs already`}},
		{"one address twice, by QUIC", "[network.x]\naccept_addrs = [\"quic://h:1\", \"quic://h:1\"]", []string{`network.x.accept_addrs = "quic://h:1": it is in network.x.accept_addrs already`}},
		{"the address of RPC", "[network.x]\naccept_addrs = [\"tcp://127.0.0.1:18927\"]", []string{`network.x.accept_addrs = "tcp://127.0.0.1:18927/": it is in rpc.rpc_listen already`}},
		{"one host list in two networks", network + "hostlist = \"/h\"\n[network.y]\naccept_addrs = [\"tcp://h:2\"]\nhostlist = \"/h\"", []string{`network.y.hostlist = "/h": it is in network.x.hostlist already: give each network a host list of its own`}},
		{"the same fault in two networks", "[network.x]\naccept_addrs = [\"tcp://h\"]\n[network.y]\naccept_addrs = [\"tcp://h\"]", []string{`network.x.accept_addrs = "tcp://h/"`, `network.y.accept_addrs = "tcp://h/"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, file, err := loadLilith(t, tt.toml)
			var config *ConfigError
			if !errors.As(err, &config) {
				t.Fatalf("got %v, want a *ConfigError", err)
			}
			for i, f := range config.Faults {
				_, text, _ := strings.Cut(f.String(), f.Origin.String()+": ")
				if i >= len(tt.want) || !strings.HasPrefix(text, tt.want[i]) {
					t.Errorf("fault %d: %s, want %q", i, f, tt.want)
				}
				if f.Origin.Name != file || f.Origin.Line == 0 && tt.toml != "" {
					t.Errorf("not in a line of the file: %s", f)
				}
			}
			if len(config.Faults) != len(tt.want) {
				t.Errorf("%d faults, want %d", len(config.Faults), len(tt.want))
			}
		})
	}
}

func TestFilesOfTheSeedThatWorkElsewhereAreTakenWithAWarning(t *testing.T) {
	for text, want := range map[string]string{
		"verbose = 1\nrpc_listen = \"tcp://h:1\"\n[network.x]\naccept_addrs = [\"tcp://0.0.0.0:1\"]":    "has no effect",
		"[network.x]\naccept_addrs = [\"tcp://127.0.0.1:1\", \"tcp://[::1]:1\", \"tcp://localhost:1\"]": "network.x is reached from this machine only",
		"[network.x]\naccept_addrs = [\"tcp://0.0.0.0:1\"]\nlocalnet = true":                            "network.x.localnet makes this seed connect to whatever private address",
		"[rpc]\nrpc_listen = \"tcp://0.0.0.0:2\"\n[network.x]\naccept_addrs = [\"tcp://0.0.0.0:1\"]":    "whoever reaches it can list the addresses it knows",
	} {
		loaded := mustLoadLilith(t, text)
		if len(loaded.Warnings) == 0 {
			t.Errorf("%s\nno warning", text)
		}
		for _, w := range loaded.Warnings {
			if !strings.Contains(w, want) || !strings.HasPrefix(w, loaded.File+":") {
				t.Errorf("%s\nwarning %q, want %q of a line of the file", text, w, want)
			}
		}
	}
}

func TestASeedCanListenOnOnePortByTCPAndByQUIC(t *testing.T) {
	loaded := mustLoadLilith(t, "[network.x]\naccept_addrs = [\"tcp+tls://0.0.0.0:1\", \"quic://0.0.0.0:1\"]")
	if n := len(loaded.Networks[0].P2P.Inbound); n != 2 {
		t.Errorf("%d addresses", n)
	}
}

func TestDefaultFileOfTheSeed(t *testing.T) {
	loaded := mustLoadLilith(t, lilithFile)
	want := aSeed()
	want.Inbound = []addr.Addr{addr.MustParse("tcp://127.0.0.1:50515")}
	want.Localnet = true
	want.Datastore = filepath.Dir(loaded.File) + "/.local/share/darkfi/lilith/dchat"
	want.Hostlist = want.Datastore + "/hostlist.tsv"
	if !reflect.DeepEqual(loaded.Networks, []Network{{"dchat", want}}) {
		t.Errorf("got  %+v\nwant %+v", loaded.Networks, want)
	}
	if loaded.RPC.Listen != addr.MustParse("tcp://127.0.0.1:18927") || loaded.Log != logfx.DefaultSettings() || len(loaded.Warnings) > 0 {
		t.Errorf("got %+v, %+v, warnings %q", loaded.RPC, loaded.Log, loaded.Warnings)
	}
}

// What is commented out in the default file is a key, and has its default or is an example.
func TestDefaultFileOfTheSeedUncommented(t *testing.T) {
	var text strings.Builder
	for line := range strings.Lines(lilithFile) {
		if strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "# ") {
			line = line[1:]
		}
		text.WriteString(line)
	}
	plain := make(map[string]string)
	for _, f := range mustLoadLilith(t, lilithFile).fields {
		plain[f.key] = tomlValue(f.value.Interface())
	}
	loaded := mustLoadLilith(t, text.String())
	home := filepath.Dir(loaded.File)
	if len(loaded.Networks) != 2 {
		t.Fatalf("%d networks, want an example of a second one", len(loaded.Networks))
	}
	for _, f := range loaded.fields {
		if strings.HasPrefix(f.key, "network.my-network.") {
			continue
		}
		if loaded.Origins[f.key].Kind != FromFile {
			t.Errorf("the default file does not speak of %s", f.key)
		}
		if got := tomlValue(f.value.Interface()); got != plain[f.key] && !strings.Contains(got, home+"/.local/share/darkfi/lilith/") {
			t.Errorf("%s is %s in a comment, and %s by default", f.key, got, plain[f.key])
		}
	}
}

func TestFlagsOfTheSeedAreOverItsFile(t *testing.T) {
	loaded := mustLoadLilith(t, lilithFile, "-v", "-l", "~/log", "--rpc-listen", "tcp://127.0.0.1:7")
	if loaded.Log.Level != zapcore.DebugLevel || loaded.Log.File != filepath.Dir(loaded.File)+"/log" || loaded.RPC.Listen != addr.MustParse("tcp://127.0.0.1:7") {
		t.Errorf("got %+v, %+v", loaded.Log, loaded.RPC)
	}
	if got := loaded.Where("rpc.rpc_listen"); got != "--rpc-listen" {
		t.Errorf("RPC is to be changed at %s", got)
	}
	if got, want := loaded.Where("network.dchat.accept_addrs"), "network.dchat.accept_addrs in "+loaded.File; got != want {
		t.Errorf("the network is to be changed at %s, want %s", got, want)
	}
}

func TestVariablesOfTheNodeDoNotReachTheSeed(t *testing.T) {
	env := []string{"HOME=" + t.TempDir(), "DCHAT_RPC__RPC_LISTEN=tcp://127.0.0.1:9", "DCHAT_NET__LOCALNET=maybe"}
	loaded, err := LoadLilith(Source{Env: env, ReadOnly: true})
	if err != nil || loaded.RPC.Listen != addr.MustParse("tcp://127.0.0.1:18927") {
		t.Errorf("got %+v, %v", loaded, err)
	}
}

func TestFirstRunOfTheSeedWritesItsFileAndGoesOn(t *testing.T) {
	home := t.TempDir()
	src := Source{Flags: parseLilith(t), Env: []string{"HOME=" + home}}
	first, err := LoadLilith(src)
	if err != nil {
		t.Fatal(err)
	}
	want := home + "/.config/darkfi/lilith_config.toml"
	if text, err := os.ReadFile(want); err != nil || string(text) != lilithFile || first.File != want || !first.Created {
		t.Errorf("file %s, created %v, %v; want %s", first.File, first.Created, err, want)
	}
	second, err := LoadLilith(src)
	if err != nil || second.Created || !reflect.DeepEqual(first.Networks, second.Networks) {
		t.Errorf("second run: %+v, %v", second, err)
	}
}

func TestPathsOfTheSeedNeedAHome(t *testing.T) {
	file := filepath.Join(t.TempDir(), "test.toml")
	if err := os.WriteFile(file, []byte("[network.x]\naccept_addrs = [\"tcp://h:1\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := LoadLilith(Source{Flags: parseLilith(t, "-c", file)})
	if err == nil || !strings.Contains(err.Error(), `network.x.datastore = "~/.local/share/darkfi/lilith/x": where is ~/?`) {
		t.Errorf("error is %v", err)
	}
}

func TestWhatIsShownOfTheSeedLoadsAsTheSame(t *testing.T) {
	want := mustLoadLilith(t, lilithFile+"[network.y]\naccept_addrs = [\"tcp+tls://0.0.0.0:1\", \"tcp://h:0\"]\nmagic_bytes = [1, 2, 3, 4]\n")
	var shown strings.Builder
	if err := want.Show(&shown); err != nil {
		t.Fatal(err)
	}
	got := mustLoadLilith(t, shown.String())
	if fmt.Sprint(got.Networks) != fmt.Sprint(want.Networks) || got.RPC.Listen != want.RPC.Listen {
		t.Errorf("%s\ngot  %+v\nwant %+v", shown.String(), got.Networks, want.Networks)
	}
}

// Whatever a file holds, it is loaded or refused with at least one reason, and never panics.
func FuzzLilithFile(f *testing.F) {
	f.Add(lilithFile)
	f.Add("verbose = 1\n[network.x]\naccept_addrs = [\"tcp://h:1\", \"\", 1]\nmagic_bytes = [[], 1.5]\n")
	f.Add("network = {x = {seeds = [1, \"\"]}, \"\" = 1, y = 1979-05-27T07:32:00Z}\n[[rpc]]\n")
	f.Add("[network.NAME]\n[network.\"a.b\"]\nc = 1\n[log]\nfile = \"~/\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		l := newLoader(Source{Env: []string{"HOME=/home/test"}}, lilith)
		l.name = "fuzz.toml"
		l.RPC.Listen = addr.MustParse("tcp://127.0.0.1:18927")
		networks := l.readLilith(text)
		for _, fault := range l.faults {
			if fault.Problem == "" || strings.ContainsAny(fault.String(), "\n\r\x1b") {
				t.Errorf("%q", fault.String())
			}
		}
		for _, n := range networks {
			if err := n.P2P.Validate(); err != nil && len(l.faults) == 0 {
				t.Errorf("loaded, and not valid: %v", err)
			}
		}
		if len(networks) == 0 && len(l.faults) == 0 {
			t.Error("no network and no fault")
		}
	})
}

func TestVariablesChangeTheNetworksOfTheSeed(t *testing.T) {
	const file = "[network.my-net]\naccept_addrs = [\"tcp://h:1\"]\nseeds = [\"tcp://s:1\"]\n[rpc]\nrpc_listen = \"tcp://127.0.0.1:1\"\n[log]\nlevel = \"warn\"\n"
	src := lilithSource(t, file, "--rpc-listen", "tcp://127.0.0.1:3")
	src.Env = append(src.Env,
		"LILITH_NETWORK__MY_NET__SEEDS=tcp://s:2,tcp://s:3", "LILITH_NETWORK__MY_NET__MAGIC_BYTES=[1, 2, 3, 4]", "LILITH_NETWORK__MY_NET__LOCALNET=true",
		"LILITH_LOG__LEVEL=error", "LILITH_RPC__RPC_LISTEN=tcp://127.0.0.1:2", "LILITH_LOG__FILE=", "DCHAT_LOG__LEVEL=debug")
	loaded, err := LoadLilith(src)
	if err != nil {
		t.Fatal(err)
	}
	s := loaded.Networks[0].P2P
	if want := []addr.Addr{addr.MustParse("tcp://s:2"), addr.MustParse("tcp://s:3")}; !slices.Equal(s.Seeds, want) || s.MagicBytes != [4]byte{1, 2, 3, 4} || !s.Localnet {
		t.Errorf("got %+v", s)
	}
	if loaded.Log.Level != zapcore.ErrorLevel || loaded.RPC.Listen != addr.MustParse("tcp://127.0.0.1:3") {
		t.Errorf("got %+v, %+v", loaded.Log, loaded.RPC)
	}
	if where := loaded.Where("network.my-net.seeds"); where != "LILITH_NETWORK__MY_NET__SEEDS" {
		t.Errorf("the seeds are to be changed in %s", where)
	}
}

func TestVariablesOfTheSeedThatAreWrong(t *testing.T) {
	const file = "[network.net]\naccept_addrs = [\"tcp://h:1\"]\n[network.my-net]\naccept_addrs = [\"tcp://h:2\"]\n[network.my_net]\naccept_addrs = [\"tcp://h:3\"]\n"
	for variable, want := range map[string]string{
		"LILITH_NETWORK__NTE__SEEDS=tcp://s:1":    "LILITH_NETWORK__NTE__SEEDS: no such setting; the nearest one is LILITH_NETWORK__NET__SEEDS",
		"LILITH_NETWORK__NAME__SEEDS=tcp://s:1":   "LILITH_NETWORK__NAME__SEEDS: no such setting; ",
		"LILITH_NETWORK__NET__LOCALNET=2":         `LILITH_NETWORK__NET__LOCALNET: network.net.localnet = "2": give true or false`,
		"LILITH_NETWORK__MY_NET__SEEDS=tcp://s:1": "LILITH_NETWORK__MY_NET__SEEDS: this is network.my-net.seeds and network.my_net.seeds: set them in the file",
	} {
		src := lilithSource(t, file)
		src.Env = append(src.Env, variable)
		if _, err := LoadLilith(src); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s\ngives %v\nwant  %s", variable, err, want)
		}
	}
}

func TestReloadOfTheSeedReadsTheFileAgain(t *testing.T) {
	const one, two = "[network.one]\naccept_addrs = [\"tcp://h:1\"]\n", "[network.two]\naccept_addrs = [\"tcp://h:2\"]\n"
	src := lilithSource(t, one+two)
	src.Env = append(src.Env, "LILITH_NETWORK__ONE__SEEDS=tcp://s:1")
	first, err := LoadLilith(src)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(first.File, []byte("[network.one]\naccept_addrs = [\"tcp://h:3\"]\npeers = [\"tcp://p:1\"]\n[network.three]\naccept_addrs = [\"tcp://h:2\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	second, err := first.Reload()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := second.Changed(&first.Report), []string{"network.one.accept_addrs", "network.one.peers", "network.three", "network.two"}; !slices.Equal(got, want) {
		t.Errorf("changed: %q, want %q", got, want)
	}
	if got := second.Networks[0].P2P.Seeds; len(got) != 1 {
		t.Errorf("the variable is not read again: %v", got)
	}
	if err := os.Remove(first.File); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Reload(); err == nil || !strings.Contains(err.Error(), "there is no such file") {
		t.Errorf("without the file: %v", err)
	}
}
