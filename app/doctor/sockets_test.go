package doctor

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/transport"
	"dchat/p2p/transport/sockstest"
)

// Over real sockets, from listening to what the other end says.
func TestANodeIsExaminedByEveryTransport(t *testing.T) {
	_, proxy := sockstest.Start(t, nil)
	file := filepath.Join(t.TempDir(), "socket")
	for _, c := range []struct {
		listen, name string // name is the scheme and host to dial, without which it is what is listened on
		steps        string
	}{
		{"tcp://127.0.0.1:0", "", "connect version"},
		{"tcp+tls://127.0.0.1:0", "", "connect tls version"},
		{"quic://127.0.0.1:0", "", "connect version"},
		{"quic://[::1]:0", "", "connect version"},
		{"unix://" + file, "", "connect version"},
		{"tcp://127.0.0.1:0", "tor://node.example", "proxy connect version"},
		{"tcp+tls://127.0.0.1:0", "tor+tls://node.example", "proxy connect tls version"},
		{"tcp://127.0.0.1:0", "i2p://node.i2p", "proxy connect version"},
		{"tcp://127.0.0.1:0", "socks5://" + proxy + "/node.example", "proxy connect version"},
		{"tcp://127.0.0.1:0", "tcp://node.example", "route proxy connect version"},
	} {
		t.Run(c.listen+" "+c.name, func(t *testing.T) {
			set := transport.DefaultVia(transport.Options{Tor: addr.MustParse("socks5://" + proxy), I2P: addr.MustParse("socks5://" + proxy)})
			node := start(t, set, func(s *p2p.Settings) { s.Inbound = []addr.Addr{addr.MustParse(c.listen)} })
			at := node.Addrs()[0]
			if c.name != "" {
				at = addr.MustParse(c.name + at.HostPort()[strings.LastIndexByte(at.HostPort(), ':'):])
			}
			p := patient(set, func(s *p2p.Settings) {
				s.Peers, s.ActiveProfiles = []addr.Addr{at}, []string{at.Scheme()}
				if strings.HasPrefix(c.steps, "route") {
					s.ActiveProfiles, s.MixedProfiles = []string{addr.Tor}, []string{at.Scheme()}
				}
			})
			r := Examine(t.Context(), p)
			var steps []string
			for _, check := range checksOf(r, StagePeer) {
				if steps = append(steps, check.Step); check.Status != OK {
					t.Errorf("%+v", check)
				}
			}
			if got := strings.Join(steps, " "); got != c.steps {
				t.Errorf("steps are %s, want %s", got, c.steps)
			}
		})
	}
}

func TestAUDPPortThatIsSilentAndOneThatIsTaken(t *testing.T) {
	other, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close() //nolint:errcheck // nothing is lost
	a := addr.MustParse("quic://" + other.LocalAddr().String())
	p := patient(transport.Default(), func(s *p2p.Settings) {
		s.Peers, s.ActiveProfiles = []addr.Addr{a}, []string{addr.QUIC}
		s.Profiles[addr.QUIC] = p2p.Profile{ConnectTimeout: time.Second, HandshakeTimeout: time.Second, HeartbeatInterval: time.Second}
	})
	wantLast(t, Examine(t.Context(), p), Check{Stage: StagePeer, Step: StepConnect, Status: Fail, Detail: "nobody answered within 1s"})

	p.Settings.Inbound, p.Settings.Peers = []addr.Addr{a}, nil
	wantLast(t, Examine(t.Context(), p), Check{Stage: StageListening, Status: Fail, Detail: "another program listens there"})
}
