package settingsfx

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// own are transports that a program adds: mirror, and flute, which only dials.
var own = []transport.Named{{Scheme: "mirror", Transport: transport.NewMem()}, {Scheme: "flute", Transport: &transport.Socks5{}}}

// loadWith loads a file for a program that has these transports.
func loadWith(t *testing.T, text string, more ...transport.Named) (*Loaded, error) {
	t.Helper()
	_, file, _ := setup{toml: text}.load(t) // which writes it
	return Load(Source{Flags: parse(t, "--config", file), Env: []string{"HOME=/home/test", "DCHAT_NET__PROFILES__FLUTE__CHANNEL_HANDSHAKE_TIMEOUT=7"}, Transports: more})
}

func TestATransportOfTheProgramCanStandWhereOthersDo(t *testing.T) {
	loaded, err := loadWith(t, `[net]
active_profiles = ["mirror", "flute"]
mixed_profiles = ["tcp"]
inbound = ["mirror://127.0.0.1:0"]
[net.profiles.mirror]
outbound_connect_timeout = 5
peers = ["mirror://h:1"]
`, own...)
	if err != nil {
		t.Fatal(err)
	}
	got := loaded.P2P
	mirror, flute := p2p.DefaultProfile("mirror"), p2p.DefaultProfile("flute")
	mirror.ConnectTimeout, flute.HandshakeTimeout = 5*time.Second, 7*time.Second
	if !reflect.DeepEqual(got.Profiles, map[string]p2p.Profile{"mirror": mirror, "flute": flute}) || !slices.Equal(got.Peers, addrs("mirror://h:1")) || !slices.Equal(got.Inbound, addrs("mirror://127.0.0.1:0")) {
		t.Errorf("got %+v", got)
	}
	again, err := loaded.Reload()
	if err != nil || !reflect.DeepEqual(again.P2P, got) {
		t.Errorf("read again: %v", err)
	}
	if shown := show(t, loaded); !strings.Contains(shown, `[net.profiles."mirror"]`) {
		t.Error(shown)
	}
}

func TestATransportThatTheProgramDoesNotHaveIsUnknown(t *testing.T) {
	const text = "[net]\nactive_profiles = [\"miror\"]\npeers = [\"mirror://h:1\"]\ninbound = [\"flute://h:1\"]\n[net.profiles.mirrror]\n"
	for _, c := range []struct {
		more []transport.Named
		want []string
	}{
		{nil, []string{`"miror": unknown transport "miror"; the nearest known one is tor`, `"mirror://h:1": unknown transport "mirror"; the nearest known one is tor`,
			`"flute://h:1": unknown transport "flute"`, "net.profiles.mirrror: unknown table; the nearest known one is net.profiles.tor"}},
		{own, []string{`"miror": unknown transport "miror"; the nearest known one is mirror`, `"flute://h:1": listen on one of mirror, quic, tcp, tcp+tls, unix`,
			"net.profiles.mirrror: unknown table; the nearest known one is net.profiles.mirror"}},
	} {
		_, err := loadWith(t, text, c.more...)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v\nwant %s", err, want)
			}
		}
		if c.more != nil && strings.Contains(err.Error(), "net.peers") {
			t.Errorf("an address of it is refused: %v", err)
		}
	}
}

// Three lines of the default file, as it says itself, make a node that hides.
func TestTheDefaultFileTellsHowToHide(t *testing.T) {
	_, recipe, _ := strings.Cut(defaultFile, "with these three lines:\n")
	text := strings.Replace(defaultFile, "active_profiles = [\"tcp\", \"tcp+tls\"]\n", "", 1)
	for i, line := range strings.SplitN(recipe, "\n", 4)[:3] {
		line, ok := strings.CutPrefix(line, "#   ")
		if !ok {
			t.Fatalf("line %d is %q", i, line)
		}
		text = strings.Replace(text, "[net]\n", "[net]\n"+line+"\n", 1)
	}
	loaded := setup{toml: text}.mustLoad(t)
	if len(loaded.Warnings) > 0 {
		t.Errorf("warnings %q", loaded.Warnings)
	}
	routes := loaded.P2P.Routes()
	for _, a := range addrs("tcp://h:1", "tcp+tls://h:1", "tor://p53lf57qovyuvwsc6xnrppyply3vtqm7l6pcobkmyqsiofyeznfu5uqd.onion:1", "quic://h:1") {
		endpoints, _ := routes.Of(a)
		for _, e := range endpoints {
			if !strings.HasPrefix(e.Scheme(), addr.Tor) {
				t.Errorf("%s is dialled at %s", a, e)
			}
		}
		if hidden := a.Scheme() != addr.QUIC; len(endpoints) > 0 != hidden {
			t.Errorf("%s is dialled at %v", a, endpoints)
		}
	}
}

// Every transport there is has its table in the default file, so that it is enough to make
// it active.
func TestEveryTransportCanBeMadeActive(t *testing.T) {
	for _, scheme := range transport.Default().Schemes() {
		text := strings.Replace(defaultFile, "active_profiles = [\"tcp\", \"tcp+tls\"]", "active_profiles = [\""+scheme+"\"]", 1)
		if got := (setup{toml: text}).mustLoad(t).P2P.Profiles; !reflect.DeepEqual(got, map[string]p2p.Profile{scheme: p2p.DefaultProfile(scheme)}) {
			t.Errorf("%s: %+v", scheme, got)
		}
		uncommented := strings.ReplaceAll(text, "#outbound_connect", "outbound_connect")
		uncommented = strings.ReplaceAll(strings.ReplaceAll(uncommented, "#channel_h", "channel_h"), "#channel_heartbeat", "channel_heartbeat")
		if got := (setup{toml: uncommented}).mustLoad(t).P2P.Profiles; !reflect.DeepEqual(got, map[string]p2p.Profile{scheme: p2p.DefaultProfile(scheme)}) {
			t.Errorf("%s in the comments: %+v", scheme, got)
		}
	}
}

// A program with a transport of its own names it twice: here, and in the group
// "transports", from which p2pfx takes it.
func ExampleSource_transports() {
	mirror := transport.Named{Scheme: "mirror", Transport: transport.NewMem()}
	loaded, err := Load(Source{
		Env:        []string{"HOME=/nowhere", "DCHAT_NET__ACTIVE_PROFILES=mirror", "DCHAT_NET__PROFILES__MIRROR__PEERS=mirror://bob:1"},
		ReadOnly:   true,
		Transports: []transport.Named{mirror},
	})
	if err != nil {
		panic(err)
	}
	// fx.New(app.Options(loaded), fx.Supply(fx.Annotate(mirror, fx.ResultTags(`group:"transports"`)))).Run()
	fmt.Println(loaded.P2P.ActiveProfiles, loaded.P2P.Peers)
	// Output: [mirror] [mirror://bob:1]
}
