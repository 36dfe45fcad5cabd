package settingsfx

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"dchat/p2p/addr"
)

// inNet makes a whole file of what stands in [net].
func inNet(text string) string {
	return "[net]\n" + strings.ReplaceAll(text, "\n[", "\n[net.")
}

func TestAddressesAndTimesAreMergedAsRecorded(t *testing.T) {
	for _, v := range readVectors(t).Settings {
		t.Run(v.Name, func(t *testing.T) {
			s := setup{toml: inNet(v.Net)}
			if v.Name == "unknown keys are ignored" { // not here: they are errors, each by its name
				s.wantFaults(t, "net.other: unknown table", "net.whatever: unknown key", "net.profiles.tcp.seed: unknown key; the nearest known one is net.profiles.tcp.seeds")
				return
			}
			if string(v.Result) == `"error"` {
				s.mustFail(t)
				return
			}
			var want struct {
				Inbound, Peers, Seeds []string
				ExternalAddrs         []string `json:"external_addrs"`
				Profiles              map[string][3]int
			}
			if err := json.Unmarshal(v.Result, &want); err != nil {
				t.Fatal(err)
			}
			got := s.mustLoad(t).P2P
			for name, pair := range map[string]struct {
				got  []addr.Addr
				want []string
			}{
				"inbound":        {got.Inbound, want.Inbound},
				"external_addrs": {got.ExternalAddrs, want.ExternalAddrs},
				"peers":          {got.Peers, want.Peers},
				"seeds":          {got.Seeds, want.Seeds},
			} {
				texts := []string{}
				for _, a := range pair.got {
					texts = append(texts, a.String())
				}
				if !reflect.DeepEqual(texts, pair.want) {
					t.Errorf("%s: got %v, want %v", name, texts, pair.want)
				}
			}
			profiles := make(map[string][3]int)
			for scheme, p := range got.Profiles {
				profiles[scheme] = [3]int{int(p.ConnectTimeout / time.Second), int(p.HandshakeTimeout / time.Second), int(p.HeartbeatInterval / time.Second)}
			}
			if !reflect.DeepEqual(profiles, want.Profiles) {
				t.Errorf("profiles: got %v, want %v", profiles, want.Profiles)
			}
		})
	}
}

func TestDefaultsAreThoseOfTheReference(t *testing.T) {
	loaded := setup{}.mustLoad(t)
	got := make(map[string]string)
	for _, f := range loaded.fields {
		got[strings.TrimPrefix(f.key, "net.")] = strings.ReplaceAll(tomlValue(f.value.Interface()), " ", "")
	}
	compared := 0
	for key, value := range readVectors(t).Defaults {
		if strings.HasPrefix(key, "profile_defaults") {
			continue // among the recorded merges
		}
		want, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if value == nil && (key == "hostlist" || key == "p2p_datastore") {
			want = []byte(`""`) // no path is the empty path
		}
		if value == nil && got[key] == "" {
			want = nil
		}
		if _, known := got[key]; !known || got[key] != string(want) {
			t.Errorf("%s: got %s, want %s", key, got[key], want)
		}
		compared++
	}
	if compared < 20 {
		t.Errorf("only %d defaults compared", compared)
	}
	if rpc := loaded.RPC.Listen.String(); rpc != "tcp://127.0.0.1:22222/" {
		t.Errorf("rpc_listen: got %s", rpc)
	}
}

// The recorded outcome of a file is "runs" or the end with status 1. Here such a file loads, or is a
// *ConfigError. better marks what the reference starts and then hangs on, or does not see.
func TestFilesLoadOrFailAsRecorded(t *testing.T) {
	const tables = "active_profiles = [\"tcp\"]\n[net.profiles.tcp]\n"
	net := func(line string) string { return "[net]\n" + line + "\n" + tables }
	cases := map[string]struct {
		toml   string
		args   []string
		better bool
	}{
		"plain":                           {toml: net("")},
		"empty file":                      {},
		"no [net] at all":                 {toml: "[rpc]\nrpc_listen = \"tcp://127.0.0.1:1\"\n"},
		"unknown key in [net]":            {toml: net("whatever = 1"), better: true},
		"unknown top-level key and table": {toml: "whatever = 1\n[other]\nx = 1\n" + net(""), better: true},
		"unknown key in a profile":        {toml: net("") + "whatever = 1\n", better: true},
		"[net.profiles.tor] with an address, not active": {toml: net("") + "[net.profiles.tor]\nseeds = [\"tor://s:1\"]\n"},
		"wrong type: outbound_connections = \"x\"":       {toml: net(`outbound_connections = "x"`)},
		"negative outbound_connections":                  {toml: net(`outbound_connections = -1`)},
		"magic_bytes with three numbers":                 {toml: net(`magic_bytes = [1, 2, 3]`)},
		"magic_bytes with 256":                           {toml: net(`magic_bytes = [1, 2, 3, 256]`)},
		"ban_policy unknown":                             {toml: net(`ban_policy = "mild"`)},
		"ban_policy in capitals":                         {toml: net(`ban_policy = "STRICT"`)},
		"blacklist entry without ports":                  {toml: net(`blacklist = [["h", ["tcp"]]]`)},
		"blacklist entry complete":                       {toml: net(`blacklist = [["h", ["tcp"], [1]]]`)},
		"blacklist port 70000":                           {toml: net(`blacklist = [["h", ["tcp"], [70000]]]`)},
		"address that does not parse":                    {toml: net(`peers = ["tcp://h:65536"]`)},
		"address without a port":                         {toml: net(`inbound = ["tcp://127.0.0.1"]`), better: true},
		"address of an unknown scheme":                   {toml: net(`inbound = ["foo://127.0.0.1:1"]`), better: true},
		"active profile without a table":                 {toml: "[net]\nactive_profiles = [\"tcp\"]\n"},
		"active and mixed profile without a table":       {toml: "[net]\nactive_profiles = [\"tor\", \"tcp\"]\nmixed_profiles = [\"tcp\"]\n[net.profiles.tor]\n"},
		"TOML that does not parse":                       {toml: "[net\n"},
		"inbound on a unix socket, active profile unix":  {toml: "[net]\ninbound = [\"unix:///run/x\"]\nactive_profiles = [\"unix\"]\n[net.profiles.unix]\n"},
		"inbound port 0":                                 {toml: net(`inbound = ["tcp://127.0.0.1:0"]`)},
		"--outbound-slots 3 over the file's 0":           {toml: net("outbound_connections = 0"), args: []string{"--outbound-slots", "3"}},
	}
	// What a file cannot decide: first runs, sockets, signals, requests, flags of other names.
	elsewhere := map[string]bool{
		"no configuration file at the given path": true, "no configuration file at the default path": true,
		"inbound host that does not resolve": true, "inbound port in use by another program": true, "RPC port in use by another program": true,
		"inbound port in use with SO_REUSEPORT set by the same user: shared":   true,
		"two inbound addresses, the second in a directory that does not exist": true,
		"environment DCHAT_OUTBOUND_SLOTS=3, OUTBOUND_SLOTS=3":                 true, // TestUnknownVariables
		"unknown flag": true, "SIGHUP after outbound_connections changed from 0 to 4": true, "SIGHUP with a broken file": true,
		"SIGINT": true, "SIGQUIT": true, "SIGTERM": true, "SIGUSR1": true,
		"send without a parameter, six times": true, "after such a send, SIGINT three times": true,
	}
	for _, v := range readVectors(t).Cases {
		if elsewhere[v.Name] {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			c, ok := cases[v.Name]
			if !ok {
				t.Fatal("no file for this case")
			}
			_, _, err := setup{toml: c.toml, args: c.args}.load(t)
			wantError := strings.HasPrefix(v.Outcome, "ended") || c.better
			if (err != nil) != wantError {
				t.Errorf("got %v; the reference: %s", err, v.Outcome)
			}
		})
	}
}
