package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

var errBroken = errors.New("it is broken")

func TestWhyThereIsNoWayToAnAddressIsTold(t *testing.T) {
	onion := onionAddr.Hostname()
	wrong := "q" + onion[1:]
	for _, c := range []struct {
		name, seed   string
		change       func(*p2p.Settings)
		want, advice string
	}{
		{"a wrong character", "tor://" + wrong + ":1", nil, "the checksum in the onion name is wrong", "A character of the name is probably wrong"},
		{"a wrong character, through a proxy of its own", "socks5://127.0.0.1:9050/" + wrong + ":1", nil, "the checksum in the onion name is wrong", "A character of the name is probably wrong"},
		{"a wrong character, mixed", "tcp://" + wrong + ":1", nil, "the checksum in the onion name is wrong", "A character of the name is probably wrong"},
		{"a missing character", "tor://" + onion[1:] + ":1", nil, "the onion name has 55 letters and digits before .onion, and not 56", "Copy the whole name again"},
		{"no name of I2P", "i2p://peer.example:1", nil, "a host of I2P is a name in .i2p", "Correct the address"},
		{"no destination", "socks5://127.0.0.1:9050/", nil, "write it as socks5://proxy:port/destination:port", "Correct the address"},
		{"a socket with a host", "unix://localhost/run/x", nil, "it has a host, and sockets have none", "Correct the address"},
		{"mixed, and carried by none", "tcp://peer.example:1", func(s *p2p.Settings) { s.ActiveProfiles = []string{addr.Socks5} },
			`"tcp" is a mixed profile, and no active one carries it`, `Add "tor" to active_profiles and the table [net.profiles."tor"] to the configuration; or "socks5", which needs net.tor_socks5_proxy`},
		{"mixed, and carried by none, with TLS", "tcp+tls://peer.example:1", func(s *p2p.Settings) { s.ActiveProfiles = []string{addr.Tor} },
			`"tcp+tls" is a mixed profile, and no active one carries it`, `Add "tor+tls" to active_profiles`},
		{"tor, mixed, and carried by none", onionAddr.String(), func(s *p2p.Settings) { s.ActiveProfiles, s.MixedProfiles = []string{addr.TCP}, []string{addr.Tor} },
			`"tor" is a mixed profile, and no active one carries it`, `Take it out of mixed_profiles and into active_profiles, with the table [net.profiles."tor"].`},
		{"what cannot be mixed", "quic://peer.example:1", func(s *p2p.Settings) { s.MixedProfiles = []string{addr.QUIC} },
			`"quic" is a mixed profile, and no active one carries it`, `Only tcp and tor`},
		{"nym", "nym://peer.example:1", func(s *p2p.Settings) { s.ActiveProfiles = []string{addr.Nym} },
			`this program has no transport "nym"`, "set net.nym_socks5_proxy"},
		{"not active, and would show the node", "quic://peer.example:1", nil, `"quic" is not among the active profiles`, "No proxy carries it"},
		{"not active, and can be carried", "tcp+tls://peer.example:1", func(s *p2p.Settings) { s.MixedProfiles = nil; s.ActiveProfiles = []string{addr.Tor} },
			`"tcp+tls" is not among the active profiles`, `Add "tcp+tls" to mixed_profiles`},
		{"not active", "i2p://peer.i2p:1", nil, `"i2p" is not among the active profiles`, `[net.profiles."i2p"]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, _ := proxied(t, withSeeds(addr.MustParse(c.seed)))
			if c.change != nil {
				c.change(&p.Settings)
			}
			p.Asking = func(a addr.Addr) { t.Errorf("%v is asked", a) }
			got := wantLast(t, Examine(t.Context(), p), Check{Stage: StageSeed, Step: StepDialable, Status: Fail})
			if !strings.Contains(got.Detail, c.want) || !strings.Contains(got.Advice, c.advice) {
				t.Errorf("got  %q, %q\nwant %q, %q", got.Detail, got.Advice, c.want, c.advice)
			}
		})
	}
}

func TestWhyASocketFileCannotBeDialledIsTold(t *testing.T) {
	for want, err := range map[string]error{
		"there is no such file":               os.ErrNotExist,
		"no permission to use the socket":     syscall.EACCES,
		"refused: nobody listens at the file": syscall.ECONNREFUSED,
		"no answer within 20s":                nil,
	} {
		t.Run(want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := patient(transport.Set{addr.Unix: dialled{err: err}}, withSeeds(addr.MustParse("unix:///run/x")))
				p.Settings.ActiveProfiles = []string{addr.Unix}
				p.Settings.Profiles[addr.Unix] = p2p.DefaultProfile(addr.Unix)
				wantLast(t, Examine(t.Context(), p), Check{Stage: StageSeed, Step: StepConnect, Status: Fail, Detail: want})
			})
		})
	}
}

func TestASocketFileThatCannotBeListenedOnIsTold(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]Check{
		filepath.Join(dir, "free"):         {Status: OK, Detail: "free for the daemon"},
		file:                               {Status: Fail, Detail: "address already in use: the file that stands there is no socket: choose another path"},
		filepath.Join(dir, "none", "file"): {Status: Fail, Detail: "its directory does not exist"},
	} {
		p := Patient{Settings: p2p.DefaultSettings()}
		p.Settings.Inbound = []addr.Addr{addr.MustParse("unix://" + path)}
		want.Stage, want.Target = StageListening, "unix://"+path
		wantLast(t, Examine(t.Context(), p), want)
	}
}

func TestWhatQUICSaysIsTold(t *testing.T) {
	for want, err := range map[string]error{
		"it takes no more connections":                           syscall.ECONNREFUSED,
		"it ended the connection: " + syscall.ECONNRESET.Error(): syscall.ECONNRESET,
		transport.ErrCertificate.Error():                         transport.ErrCertificate,
	} {
		p := patient(transport.Set{addr.QUIC: dialled{err: err}}, withSeeds(addr.MustParse("quic://198.51.100.1:1")))
		p.Settings.ActiveProfiles = []string{addr.QUIC}
		wantLast(t, Examine(t.Context(), p), Check{Stage: StageSeed, Step: StepConnect, Status: Fail, Detail: want})
	}
}

// Whatever is wrong, UDP is silent.
func TestQUICThatIsSilentIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := patient(transport.Set{addr.QUIC: dialled{}}, withSeeds(addr.MustParse("quic://198.51.100.1:1")))
		p.Settings.ActiveProfiles = []string{addr.QUIC}
		got := wantLast(t, Examine(t.Context(), p), Check{Stage: StageSeed, Step: StepConnect, Status: Fail, Detail: "nobody answered within 15s"})
		if !strings.Contains(got.Advice, "A firewall that drops UDP, a wrong port and a node that is down look the same.") {
			t.Errorf("advice is %q", got.Advice)
		}
	})
}
