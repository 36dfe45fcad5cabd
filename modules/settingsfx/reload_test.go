package settingsfx

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestReloadReadsTheFileAgainUnderTheSameFlagsAndEnvironment(t *testing.T) {
	first := setup{
		toml: "[net]\noutbound_connections = 1\ninbound_connections = 1\nnode_id = \"a\"\n",
		env:  []string{"DCHAT_NET__INBOUND_CONNECTIONS=2"},
		args: []string{"--outbound-slots", "3"},
	}.mustLoad(t)
	write(t, first.File, "verbose = 1\n[net]\noutbound_connections = 9\ninbound_connections = 9\nnode_id = \"b\"\npeers = [\"tcp://h:1\"]\n")
	second, err := first.Reload()
	if err != nil {
		t.Fatal(err)
	}
	if s := second.P2P; s.OutboundConnections != 3 || s.InboundConnections != 2 || s.NodeID != "b" || len(s.Peers) != 1 || second.File != first.File || !slices.Equal(second.Warnings[:1], []string{first.File + ":1: verbose has no effect: use level under [log], or the flag -v"}) {
		t.Errorf("got %+v", second)
	}
	if first.P2P.NodeID != "a" {
		t.Error("what was loaded first has changed")
	}
	if got, want := second.Changed(&first.Report), []string{"net.node_id", "net.peers"}; !slices.Equal(got, want) {
		t.Errorf("changed: %q, want %q", got, want)
	}
	third, err := second.Reload()
	if err != nil || !reflect.DeepEqual(third.P2P, second.P2P) || third.Changed(&second.Report) != nil {
		t.Errorf("the same again: %+v, %v", third, err)
	}
}

func TestReloadSaysWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(file string)
		want  string // behind the file's name
	}{
		"no TOML":     {func(file string) { write(t, file, "[net\n") }, ":1: not TOML: "},
		"unknown key": {func(file string) { write(t, file, "\n[net]\npeer = []\n") }, ":3: net.peer: unknown key; the nearest known one is net.peers"},
		"wrong value": {func(file string) { write(t, file, "[net]\noutbound_connections = 5000\n") }, ":2: net.outbound_connections = 5000: give a number from 0 to 1024"},
		"gone":        {func(file string) { must(t, os.Remove(file)) }, ": there is no such file"},
		"a pipe": {func(file string) {
			must(t, os.Remove(file))
			must(t, exec.Command("mkfifo", file).Run())
		}, ": cannot be read again: it is not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			loaded := setup{toml: "[net]\npeers = [\"tcp://h:1\"]\n"}.mustLoad(t)
			c.spoil(loaded.File)
			got, err := loaded.Reload()
			if got != nil || err == nil || !strings.HasPrefix(err.Error(), loaded.File+c.want) {
				t.Errorf("got %v, %v, want %s", got, err, loaded.File+c.want)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The default file has gone, and with it perhaps all that the user wrote into it.
func TestReloadDoesNotTakeTheDefaultsForAFileThatHasGone(t *testing.T) {
	src := Source{Env: []string{"HOME=" + t.TempDir()}}
	loaded, err := Load(src)
	must(t, err)
	must(t, os.Remove(loaded.File))
	if _, err := loaded.Reload(); err == nil || !strings.HasSuffix(err.Error(), "there is no such file") {
		t.Errorf("got %v", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(loaded.File)); err != nil || len(entries) > 0 {
		t.Errorf("written: %v, %v", entries, err)
	}
}

func TestChangedNamesTheKeysThatDiffer(t *testing.T) {
	const tcp = "[net]\nactive_profiles = [\"tcp\"]\n[net.profiles.tcp]\n"
	for name, c := range map[string]struct {
		before, after string
		want          []string
	}{
		"nothing":                         {tcp, tcp, nil},
		"a default, said":                 {tcp, tcp + "channel_handshake_timeout = 10\n[chat]\nhistory_messages = 10000\n", nil},
		"an empty list, said":             {tcp, tcp + "peers = []\n", nil},
		"a password":                      {"[net]\ntor_socks5_proxy = \"socks5://u:a@h:1\"\n", "[net]\ntor_socks5_proxy = \"socks5://u:b@h:1\"\n", []string{"net.tor_socks5_proxy"}},
		"a pointer":                       {"", "[net]\ngetaddrs_max = 0\n", []string{"net.getaddrs_max"}},
		"no pointer any more":             {"[net]\ngetaddrs_max = 0\n", "", []string{"net.getaddrs_max"}},
		"each table":                      {"", "[net]\nban_time = 9\n[rpc]\nrpc_listen = \"tcp://127.0.0.1:1\"\n[chat]\nhistory_messages = 1\n[log]\nlevel = \"warn\"\n", []string{"rpc.rpc_listen", "net.ban_time", "chat.history_messages", "log.level"}},
		"the peers of a transport":        {tcp, tcp + "peers = [\"tcp://h:1\"]\n", []string{"net.profiles.tcp.peers"}},
		"a transport that comes":          {"", tcp + "peers = [\"tcp://h:1\"]\n", []string{"net.active_profiles", "net.profiles.tcp.peers", "net.profiles.tcp.outbound_connect_timeout", "net.profiles.tcp.channel_handshake_timeout", "net.profiles.tcp.channel_heartbeat_interval"}},
		"a transport that goes":           {tcp + "peers = [\"tcp://h:1\"]\n", "", []string{"net.active_profiles", "net.profiles.tcp.peers", "net.profiles.tcp.outbound_connect_timeout", "net.profiles.tcp.channel_handshake_timeout", "net.profiles.tcp.channel_heartbeat_interval"}},
		"a peer from one list to another": {"[net]\npeers = [\"tcp://h:1\"]\nactive_profiles = [\"tcp\"]\n[net.profiles.tcp]\n", tcp + "peers = [\"tcp://h:1\"]\n", []string{"net.peers", "net.profiles.tcp.peers"}},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := setup{toml: c.before}.mustLoad(t), setup{toml: c.after}.mustLoad(t)
			if got := after.Changed(&before.Report); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}
