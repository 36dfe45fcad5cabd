package p2p_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

func TestEveryFaultOfTheSettingsIsNamed(t *testing.T) {
	peer := addr.MustParse("tcp://user:secret@127.0.0.1:7")
	for _, c := range []struct {
		field  string
		change func(*p2p.Settings)
	}{
		{"AppName", func(s *p2p.Settings) { s.AppName = "" }},
		{"AppName", func(s *p2p.Settings) { s.AppName = strings.Repeat("a", 65) }},
		{"AppName", func(s *p2p.Settings) { s.AppName = "\xff" }},
		{"AppVersion", func(s *p2p.Settings) { s.AppVersion.Pre = "01" }},
		{"AppVersion", func(s *p2p.Settings) { s.AppVersion.Build = strings.Repeat("b", 100) }},
		{"NodeID", func(s *p2p.Settings) { s.NodeID = strings.Repeat("n", 257) }},
		{"NodeID", func(s *p2p.Settings) { s.NodeID = "\xff" }},
		{"OutboundConnections", func(s *p2p.Settings) { s.OutboundConnections = 1025 }},
		{"InboundConnections", func(s *p2p.Settings) { s.InboundConnections = -1 }},
		{"GetAddrsMax", func(s *p2p.Settings) { s.GetAddrsMax = new(uint32(1<<32 - 1)) }},
		{"KnownPeerPercent", func(s *p2p.Settings) { s.KnownPeerPercent = 101 }},
		{"MaxMessage", func(s *p2p.Settings) { s.MaxMessage = 1023 }},
		{"SendQueue", func(s *p2p.Settings) { s.SendQueue = 0 }},
		{"WriteTimeout", func(s *p2p.Settings) { s.WriteTimeout = 999 * time.Millisecond }},
		{"DiscoveryCooloff", func(s *p2p.Settings) { s.DiscoveryCooloff = 0 }},
		{"DiscoveryAttempt", func(s *p2p.Settings) { s.DiscoveryAttempt = 0 }},
		{"RefineryInterval", func(s *p2p.Settings) { s.RefineryInterval = 0 }},
		{"TimeWithNoConnections", func(s *p2p.Settings) { s.TimeWithNoConnections = 0 }},
		{`Profiles["tcp"].ConnectTimeout`, func(s *p2p.Settings) {
			profile := s.Profiles["tcp"]
			profile.ConnectTimeout = 0
			s.Profiles["tcp"] = profile
		}},
		{"Inbound", func(s *p2p.Settings) { s.Inbound = []addr.Addr{addr.MustParse("tor://127.0.0.1:7")} }},
		{"Inbound", func(s *p2p.Settings) { s.Inbound = []addr.Addr{addr.MustParse("tcp://127.0.0.1")} }},
		{"ExternalAddrs", func(s *p2p.Settings) { s.ExternalAddrs = []addr.Addr{addr.MustParse("tcp://127.0.0.1:0")} }},
		{"ExternalAddrs", func(s *p2p.Settings) {
			for range 11 {
				s.ExternalAddrs = append(s.ExternalAddrs, peer)
			}
		}},
		{"Peers", func(s *p2p.Settings) { s.Peers = []addr.Addr{addr.MustParse("tcp://127.0.0.1:0")} }},
		{"Peers", func(s *p2p.Settings) { s.Peers, s.Seeds = []addr.Addr{peer}, []addr.Addr{peer} }},
		{"Peers", func(s *p2p.Settings) { s.Peers = []addr.Addr{addr.MustParse("socks5://user:secret@127.0.0.1:1/")} }},
		{"Seeds", func(s *p2p.Settings) { s.Seeds = []addr.Addr{addr.MustParse("tcp://127.0.0.1")} }},
		{"Seeds", func(s *p2p.Settings) { s.Seeds = []addr.Addr{addr.MustParse("tor://misspelt.onion:1")} }},
		{"TorSocks5Proxy", func(s *p2p.Settings) { s.TorSocks5Proxy = addr.MustParse("socks5://user:secret@127.0.0.1:1/peer:2") }},
		{"BanPolicy", func(s *p2p.Settings) { s.BanPolicy = "Strict" }},
		{"Blacklist", func(s *p2p.Settings) { s.Blacklist = []p2p.BlacklistEntry{{}} }},
	} {
		t.Run(c.field, func(t *testing.T) {
			s := p2p.DefaultSettings()
			c.change(&s)
			err := s.Validate()
			var fault *p2p.SettingError
			if !errors.As(err, &fault) || fault.Field != c.field || fault.Remedy == "" {
				t.Fatalf("got %v, want a fault of %s with a remedy", err, c.field)
			}
			if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "secret") {
				t.Errorf("the error is %q, want one line without secrets", err)
			}
			if _, err := p2p.New(s); !errors.As(err, &fault) {
				t.Errorf("New returned %v, want the fault", err)
			}
		})
	}
}

func TestAllFaultsAreReportedTogether(t *testing.T) {
	err := (&p2p.Settings{}).Validate()
	for _, field := range []string{"AppName", "MaxMessage", "SendQueue", "WriteTimeout", "BanPolicy"} {
		if !strings.Contains(err.Error(), field+" is ") {
			t.Errorf("%s is missing in:\n%v", field, err)
		}
	}
}

func TestTheGreatestIdentityIsValid(t *testing.T) {
	s := p2p.DefaultSettings()
	s.AppName, s.NodeID = strings.Repeat("a", 64), strings.Repeat("n", 256)
	s.AppVersion = wire.Semver{Major: 1, Pre: strings.Repeat("p", 20), Build: strings.Repeat("b", 17)}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	s.AppVersion.Build += "b"
	if s.Validate() == nil {
		t.Error("a verack of 129 bytes is valid")
	}
}

func TestTheNodeKeepsItsOwnCopyOfTheSettings(t *testing.T) {
	s := p2p.DefaultSettings()
	listening(&s)
	n, err := p2p.New(s, p2p.WithTransports(transport.Default()))
	if err != nil {
		t.Fatal(err)
	}
	was := s.Inbound[0]
	s.Inbound[0] = addr.MustParse("tcp://example.org:7")
	s.Profiles["tcp"] = p2p.Profile{}
	got := n.Settings()
	if got.Inbound[0] != was || got.Profiles["tcp"] != p2p.DefaultProfile("tcp") {
		t.Error("a change after New got through")
	}
	got.Profiles["tcp"] = p2p.Profile{}
	if n.Settings().Profiles["tcp"] != p2p.DefaultProfile("tcp") {
		t.Error("a change of what Settings returned got through")
	}
}

func TestProfiles(t *testing.T) {
	fast := p2p.Profile{ConnectTimeout: 15 * time.Second, HandshakeTimeout: 10 * time.Second, HeartbeatInterval: 30 * time.Second}
	slow := p2p.Profile{ConnectTimeout: 65 * time.Second, HandshakeTimeout: 55 * time.Second, HeartbeatInterval: 90 * time.Second}
	for scheme, want := range map[string]p2p.Profile{"tcp": fast, "tcp+tls": fast, "quic": fast, "tor": slow, "i2p": slow, "socks5": slow} {
		if got := p2p.DefaultProfile(scheme); got != want {
			t.Errorf("the default profile of %s is %+v", scheme, got)
		}
	}
	s := p2p.DefaultSettings()
	if got := s.Profile("tor"); got != fast {
		t.Errorf("a scheme without a profile has %+v, want that of tcp", got)
	}
	s.Profiles["tor"] = slow
	if got := s.Profile("tor"); got != slow {
		t.Errorf("the profile of tor is %+v", got)
	}
}
