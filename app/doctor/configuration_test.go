package doctor

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/p2ptest"
)

func TestFaultsOfTheConfigurationAreAllThereIsToSay(t *testing.T) {
	p := Patient{Fault: errors.New("file:1: a\nfile:2: b")}
	r := Examine(t.Context(), p)
	checks := checksOf(r, StageConfiguration)
	if len(checks) != 2 || checks[0].Detail != "file:1: a" || checks[1].Detail != "file:2: b" || checks[1].Status != Fail || checks[1].Advice == "" || len(r.Checks) != 3 {
		t.Errorf("checks are %+v", r.Checks)
	}
	if !strings.HasPrefix(r.Summary, "The configuration is not valid") {
		t.Errorf("summary is %q", r.Summary)
	}
}

func TestSettingsThatAreSeldomMeantAreWarnedOf(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*p2p.Settings)
		want   []string // the beginnings of the warnings
	}{
		{"usual", func(*p2p.Settings) {}, nil},
		{"nobody to connect to", func(s *p2p.Settings) { s.Peers = nil }, []string{"neither peers nor seeds are configured, and nobody can connect"}},
		{"waiting for others", func(s *p2p.Settings) { s.Peers, s.Inbound = nil, []addr.Addr{ownAddr} }, []string{"neither peers nor seeds are configured: this node waits"}},
		{"no outbound slots", func(s *p2p.Settings) { s.OutboundConnections = 0 }, []string{"outbound_connections is 0"}},
		{"a seed without slots", func(s *p2p.Settings) { s.OutboundConnections, s.SeedNode = 0, true }, nil},
		{"no inbound slots", func(s *p2p.Settings) { s.InboundConnections, s.Inbound = 0, []addr.Addr{ownAddr} }, []string{"inbound_connections is 0"}},
		{"told but not listened at", func(s *p2p.Settings) { s.ExternalAddrs = []addr.Addr{addr.MustParse("tcp://8.8.8.8:1")} }, []string{"external_addrs is set, but this node does not listen"}},
		{"private", func(s *p2p.Settings) {
			s.Inbound, s.ExternalAddrs = []addr.Addr{ownAddr}, []addr.Addr{addr.MustParse("tcp://10.0.0.1:1"), addr.MustParse("tcp://[::]:1")}
		}, []string{"external_addrs has tcp://10.0.0.1:1, which is no public address"}},
		{"private in a localnet", func(s *p2p.Settings) {
			s.Localnet, s.Inbound, s.ExternalAddrs = true, []addr.Addr{ownAddr}, []addr.Addr{addr.MustParse("tcp://10.0.0.1:1")}
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := patient(memory(), func(s *p2p.Settings) { s.Peers = []addr.Addr{peerAddr} })
			c.change(&p.Settings)
			p.Warnings = []string{"file:3: old key"}
			checks := checksOf(Examine(t.Context(), p), StageConfiguration)
			if len(checks) != 2+len(c.want) || checks[0].Status != OK || checks[0].Target != "/file" || checks[1].Detail != "file:3: old key" {
				t.Fatalf("checks are %+v", checks)
			}
			for i, want := range c.want {
				if got := checks[2+i]; got.Status != Warn || !strings.HasPrefix(got.Detail, want) || got.Advice == "" {
					t.Errorf("got %+v, want %q", got, want)
				}
			}
		})
	}
}

func TestAnAddressThatIsFreeCanBeListenedOn(t *testing.T) {
	p := patient(memory(), func(s *p2p.Settings) { s.Inbound = []addr.Addr{ownAddr} })
	for range 2 { // and is left free
		wantLast(t, Examine(t.Context(), p), Check{Stage: StageListening, Status: OK, Target: "tcp://203.0.113.9:3", Detail: "free for the daemon"})
	}
}

func TestWhoHasAnInboundAddressIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		other func(*p2ptest.Peer)
		want  string
	}{
		"a node": {func(p *p2ptest.Peer) { p.Handshake() }, "another program listens there, a node that runs dchatd 0.4.1"},
		"another node": {func(p *p2ptest.Peer) {
			p.Version.AppName, p.Verack.AppName = "darkirc", "darkirc"
			p.Send(&p.Version, &p.Verack)
		}, "another program listens there, a node that runs darkirc 0.4.1"},
		"no node": {func(p *p2ptest.Peer) { p.Close(false) }, "another program listens there"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				anywhere := addr.MustParse("tcp://0.0.0.0:3")
				peer, done := askedBy(t, patient(memory(), func(s *p2p.Settings) { s.Inbound = []addr.Addr{anywhere} }), anywhere)
				c.other(peer)
				wantLast(t, <-done, Check{Stage: StageListening, Status: Fail, Detail: c.want})
			})
		})
	}
}
