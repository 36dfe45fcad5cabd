package addr_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"dchat/p2p/addr"
)

var localIPs = []string{
	"0.0.0.0", "0.1.2.3", "0.255.255.255",
	"10.0.0.0", "10.255.255.255",
	"100.64.0.0", "100.127.255.255",
	"127.0.0.1", "127.255.255.255",
	"169.254.0.0", "169.254.169.254",
	"172.16.0.0", "172.31.255.255",
	"192.0.0.0", "192.0.0.8", "192.0.0.11", "192.0.0.255",
	"192.0.2.0", "192.0.2.255",
	"192.168.0.0", "192.168.255.255",
	"198.18.0.0", "198.19.255.255",
	"198.51.100.0", "203.0.113.255",
	"224.0.0.0", "239.255.255.255",
	"240.0.0.0", "255.255.255.255",
	"::", "::1", "::2", "::7f00:1", "::808:808",
	"::ffff:8.8.8.8", "::ffff:10.0.0.1", "::ffff:0:808:808",
	"64:ff9b::10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::", "64:ff9b:1::1", "64:ff9b:0:1::8.8.8.8",
	"100::1", "100:0:0:1::1", "1fff:ffff::",
	"2001::1", "2001:1::", "2001:1::3", "2001:2::1", "2001:10::1", "2001:1ff:ffff::",
	"2001:db8::", "2001:db8:ffff::1",
	"2002::1", "2002:808:808::1",
	"3fff::1", "3fff:fff:ffff::", "4000::", "5f00::1",
	"fc00::1", "fdff:ffff::1",
	"fe80::1", "fe80::1%eth0", "febf::1", "fec0::1",
	"ff00::", "ff02::1", "ff0e::1",
}

var globalIPs = []string{
	"1.0.0.0", "8.8.8.8", "9.255.255.255", "11.0.0.0",
	"100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
	"169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0",
	"192.0.0.9", "192.0.0.10", "192.0.1.0", "192.0.3.0", "192.88.99.1", "192.167.255.255", "192.169.0.0",
	"198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0",
	"223.255.255.255",
	"2000::", "2001:1::1", "2001:1::2", "2001:3::1", "2001:4:112::1", "2001:20::1", "2001:2f:ffff::", "2001:30::1",
	"2001:200::", "2001:db7:ffff::", "2001:db9::", "2003::1", "2606:4700:4700::1111",
	"3ffe:ffff::1", "3fff:1000::",
	"64:ff9b::8.8.8.8",
}

func TestIsGlobalIP(t *testing.T) {
	for global, ips := range map[bool][]string{false: localIPs, true: globalIPs} {
		for _, text := range ips {
			if got := addr.IsGlobalIP(netip.MustParseAddr(text)); got != global {
				t.Errorf("IsGlobalIP(%s) = %v", text, got)
			}
		}
	}
	if addr.IsGlobalIP(netip.Addr{}) {
		t.Error("no IP is global")
	}
}

// spellings are ways to write the IP as a host.
func spellings(ip netip.Addr) []string {
	if ip.Is6() {
		ip = ip.WithZone("")
		return []string{"[" + ip.String() + "]", "[" + strings.ToUpper(ip.String()) + "]", "[" + ip.StringExpanded() + "]"}
	}
	b := ip.As4()
	n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	return []string{
		ip.String(), ip.String() + ".",
		fmt.Sprintf("%d", n), fmt.Sprintf("0x%x", n), fmt.Sprintf("0X%X", n), fmt.Sprintf("0%o", n),
		fmt.Sprintf("0x%02x.0x%02x.0x%02x.0x%02x", b[0], b[1], b[2], b[3]),
		fmt.Sprintf("0%o.0%o.0%o.0%o", b[0], b[1], b[2], b[3]),
		fmt.Sprintf("%d.%d", b[0], n&0xffffff), fmt.Sprintf("%d.%d.%d", b[0], b[1], n&0xffff),
		strings.NewReplacer("0", "%30", "1", "%31", "2", "%32").Replace(ip.String()),
		strings.ReplaceAll(ip.String(), ".", "%2e"),
		strings.ReplaceAll(ip.String(), ".", "。"),
	}
}

func TestIsGlobalReadsAnIPInEverySchemeAndSpelling(t *testing.T) {
	for global, ips := range map[bool][]string{false: localIPs, true: globalIPs} {
		for _, text := range ips {
			for _, host := range spellings(netip.MustParseAddr(text)) {
				for _, scheme := range []string{"tcp", "tcp+tls", "tor", "quic", "i2p"} {
					a, err := addr.Parse(scheme + "://" + host + ":1")
					if err != nil {
						t.Errorf("%s as %s: %v", text, host, err)
					} else if a.IsGlobal() != global {
						t.Errorf("%q (%s): IsGlobal is %v", a, text, !global)
					}
				}
			}
		}
	}
}

func TestIsGlobalName(t *testing.T) {
	for _, host := range []string{
		"localhost", "LOCALHOST", "localhost.", "a.localhost", "b.a.localhost.", "%6cocalhost", "ｌｏｃａｌｈｏｓｔ", "localhost6",
		"localhost.localdomain", "ip6-localhost", "printer.local", "db.internal", "router.home.arpa", ".", "..",
	} {
		for _, scheme := range []string{"tcp", "quic"} {
			if a := addr.MustParse(scheme + "://" + host + ":1"); a.IsGlobal() {
				t.Errorf("%q is global", a)
			}
		}
	}
	for _, in := range []string{
		"tcp://example.com:1", "tcp://example:1", "tcp://notlocalhost:1", "tcp://localhost.example.com:1", "tcp://a..b:1",
		"quic://Example.COM:1", "i2p://stats.i2p:1", "tor://p53lf57qovyuvwsc6xnrppyply3vtqm7l6pcobkmyqsiofyeznfu5uqd.onion:1",
	} {
		if a := addr.MustParse(in); !a.IsGlobal() {
			t.Errorf("%q is not global", a)
		}
	}
	for _, in := range []string{"unix:///run/a", "quic:8.8.8.8:1", "quic://", "quic://1.2.3.256:1", "quic://a%20b:1", "quic://a%ffb:1"} {
		if a := addr.MustParse(in); a.IsGlobal() {
			t.Errorf("%q is global", a)
		}
	}
}

func TestAHostIsAnIPv4AddressOrTheSlash64OfAnIPv6One(t *testing.T) {
	for text, want := range map[string]string{
		"8.8.8.8":             "8.8.8.8/32",
		"::ffff:8.8.8.8":      "8.8.8.8/32",
		"::ffff:8.8.8.8%eth0": "8.8.8.8/32",
		"2a00:1:2:3:4:5:6:7":  "2a00:1:2:3::/64",
		"fe80::1:2:3:4%eth0":  "fe80::/64",
	} {
		if got := addr.HostNetwork(netip.MustParseAddr(text)); got.String() != want {
			t.Errorf("%s is at %s, want %s", text, got, want)
		}
	}
	if got := addr.HostNetwork(netip.Addr{}); got.IsValid() {
		t.Errorf("no address is at %s", got)
	}
}
