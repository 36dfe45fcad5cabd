package settingsfx

import (
	"strings"
	"testing"

	"dchat/p2p/addr"
)

// TestIPv6InEverySetting: an address with a literal goes wherever an address goes, in brackets
// and, however it is written, in one form.
func TestIPv6InEverySetting(t *testing.T) {
	l := setup{toml: `
[net]
active_profiles = ["tcp"]
inbound = ["tcp://[::]:26661", "tcp://0.0.0.0:26661"]
external_addrs = ["tcp://[::]:0"]
peers = ["tcp://[2A00:0:0:0::1]:1"]
blacklist = [["[2a00::4]", [], []]]
tor_socks5_proxy = "socks5://[::1]:9050"
[net.profiles.tcp]
seeds = ["tcp://[2a00::0:2]:2"]
[rpc]
rpc_listen = "tcp://[::1]:26660"
`}.mustLoad(t)
	for name, c := range map[string]struct {
		got  []addr.Addr
		want string
	}{
		"inbound":          {l.P2P.Inbound, "tcp://[::]:26661/ tcp://0.0.0.0:26661/"},
		"external_addrs":   {l.P2P.ExternalAddrs, "tcp://[::]:0/"},
		"peers":            {l.P2P.Peers, "tcp://[2a00::1]:1/"},
		"seeds":            {l.P2P.Seeds, "tcp://[2a00::2]:2/"},
		"tor_socks5_proxy": {[]addr.Addr{l.P2P.TorSocks5Proxy}, "socks5://[::1]:9050/"},
		"rpc_listen":       {[]addr.Addr{l.RPC.Listen}, "tcp://[::1]:26660/"},
	} {
		var texts []string
		for _, a := range c.got {
			texts = append(texts, a.String())
		}
		if got := strings.Join(texts, " "); got != c.want {
			t.Errorf("%s is %s, want %s", name, got, c.want)
		}
	}
	if len(l.P2P.Blacklist) != 1 || l.P2P.Blacklist[0].Host != "[2a00::4]" {
		t.Errorf("blacklist is %v", l.P2P.Blacklist)
	}
}

// TestIPv6WithAZoneOrWithoutBracketsIsRefused: nobody but this machine knows its zones, and
// without brackets nobody knows where the port begins.
func TestIPv6WithAZoneOrWithoutBracketsIsRefused(t *testing.T) {
	for _, written := range []struct{ host, want string }{
		{"[fe80::1%eth0]", "without a zone"},
		{"[fe80::1%25eth0]", "without a zone"},
		{"2a00::1", "in brackets"},
		{"::1", "in brackets"},
	} {
		for _, tt := range []struct{ key, toml string }{
			{"net.inbound", "[net]\ninbound = [\"tcp://H:1\"]"},
			{"net.external_addrs", "[net]\nexternal_addrs = [\"tcp://H:1\"]"},
			{"net.peers", "[net]\npeers = [\"tcp://H:1\"]"},
			{"net.seeds", "[net]\nseeds = [\"tcp://H:1\"]"},
			{"net.tor_socks5_proxy", "[net]\ntor_socks5_proxy = \"socks5://H:1\""},
			{"rpc.rpc_listen", "[rpc]\nrpc_listen = \"tcp://H:1\""},
		} {
			faults, _ := setup{toml: strings.ReplaceAll(tt.toml, "H", written.host)}.mustFail(t)
			if text := faults[0].String(); len(faults) != 1 || !strings.Contains(text, tt.key+" = ") || !strings.Contains(text, written.want) {
				t.Errorf("%s with %s: %v, want one that has %q", tt.key, written.host, faults, written.want)
			}
		}
		setup{toml: "[net]\nblacklist = [[\"" + written.host + "\", [], []]]"}.wantFaults(t, `net.blacklist = ["`+written.host+`", [], []]: give ["host", ["scheme"], [port]]: the host is`)
	}
}
