package settingsfx

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func show(t *testing.T, l *Loaded) string {
	t.Helper()
	var out strings.Builder
	if err := l.Show(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestShowTellsValueAndOrigin(t *testing.T) {
	loaded := setup{
		toml: "[net]\nactive_profiles = [\"tcp+tls\"]\nblacklist = [[\"h\", [\"tcp\"], [1]]]\n[net.profiles.\"tcp+tls\"]\nseeds = [\"tcp+tls://h:1\"]\n[net.profiles.tor]\n",
		env:  []string{"DCHAT_NET__LOCALNET=true"},
		args: []string{"--outbound-slots", "3"},
	}.mustLoad(t)
	out := show(t, loaded)
	spaces := strings.Fields
	for _, want := range []string{
		"# file is " + loaded.File,
		"[net]",
		`active_profiles = ["tcp+tls"] # file line 2`,
		`blacklist = [["h", ["tcp"], [1]]] # file line 3`,
		"localnet = true # env DCHAT_NET__LOCALNET",
		"outbound_connections = 3 # flag --outbound-slots",
		"known_peer_percent = 70 # default",
		"magic_bytes = [217, 239, 182, 125] # default",
		"# getaddrs_max is not set # default",
		"# tor_socks5_proxy is not set # default",
		`app_version = "0.4.1" # default`,
		`level = "info" # default`,
		`[net.profiles."tcp+tls"]`,
		`seeds = ["tcp+tls://h:1/"] # file line 5`,
		"channel_handshake_timeout = 10 # default",
	} {
		found := false
		for line := range strings.Lines(out) {
			found = found || reflect.DeepEqual(spaces(line), spaces(want))
		}
		if !found {
			t.Errorf("no line %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "net.profiles.\"tor\"") {
		t.Error("a profile that is not active is shown as in effect")
	}
}

func TestWhatIsShownLoadsAsTheSame(t *testing.T) {
	for _, text := range []string{"", defaultFile, full, "[net]\nnode_id = \"\\u0007\\\"\\\\\\u202e\\U000e0001\\u007f grüß\""} {
		want := setup{toml: text}.mustLoad(t)
		got := setup{toml: show(t, want)}.mustLoad(t)
		// The addresses of the profiles are shown where they stand, so nothing is doubled.
		if !equalButForNil(got.P2P, want.P2P) || !equalButForNil(got.RPC, want.RPC) || got.Chat != want.Chat || got.Log != want.Log {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
}

// equalButForNil takes a nil slice and an empty one for the same, field by field.
func equalButForNil(a, b any) bool {
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range va.NumField() {
		fa, fb := va.Field(i), vb.Field(i)
		empty := fa.Kind() == reflect.Slice && fa.Len() == 0 && fb.Len() == 0
		if !empty && !reflect.DeepEqual(fa.Interface(), fb.Interface()) {
			return false
		}
	}
	return true
}

func TestShowKeepsSecrets(t *testing.T) {
	out := show(t, setup{toml: "[rpc]\nrpc_listen = \"tcp://u:hunter2@127.0.0.1:1\"\n[net]\ntor_socks5_proxy = \"socks5://u:hunter2@h:1\"\npeers = [\"socks5://u:hunter2@p:1/h:2\", \"tcp://u:hunter2@h:3/?hunter2#hunter2\"]\n"}.mustLoad(t))
	if strings.Contains(out, "hunter2") {
		t.Error(out)
	}
	for _, want := range []string{`"tcp://127.0.0.1:1/"`, `"socks5://h:1/"`, `"socks5://p:1/h:2"`, `"tcp://h:3/"`} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is not shown in\n%s", want, out)
		}
	}
}

func TestShowShowsTheSettingsAsTheyAreNow(t *testing.T) {
	loaded := setup{}.mustLoad(t)
	loaded.P2P.OutboundConnections = 5
	if !strings.Contains(show(t, loaded), "outbound_connections = 5") {
		t.Error("a change after loading is not shown")
	}
}

type brokenPipe struct{}

var errBroken = errors.New("broken pipe")

func (brokenPipe) Write([]byte) (int, error) { return 0, errBroken }

func TestShowReturnsTheErrorOfTheWriter(t *testing.T) {
	if err := (setup{}).mustLoad(t).Show(brokenPipe{}); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}
