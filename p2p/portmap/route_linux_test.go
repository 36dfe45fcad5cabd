package portmap

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// entry is a line of the system's table of routes.
func entry(iface, to, gateway string, metric int) string {
	prefix := netip.MustParsePrefix(to)
	mask := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(uint64(0xffffffff00000000)>>prefix.Bits()))))
	asKept := func(ip netip.Addr) string { return fmt.Sprintf("%08X", binary.NativeEndian.Uint32(ip.AsSlice())) }
	return fmt.Sprintf("%s\t%s\t%s\t0003\t0\t0\t%d\t%s\t0\t0\t0\n", iface, asKept(prefix.Addr()), asKept(netip.MustParseAddr(gateway)), metric, asKept(mask))
}

func TestTheRouterIsThatOfTheRouteToTheInternet(t *testing.T) {
	const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	home := entry("eth0", "0.0.0.0/0", "192.168.1.1", 100) + entry("eth0", "192.168.1.0/24", "0.0.0.0", 100)
	for _, c := range []struct {
		name, table, want string
	}{
		{"home", head + home, "192.168.1.1"},
		{"a lower metric", head + home + entry("eth0", "0.0.0.0/0", "192.168.1.2", 50), "192.168.1.2"},
		{"a higher metric", head + home + entry("eth0", "0.0.0.0/0", "192.168.1.2", 500), "192.168.1.1"},
		{"another interface", head + home + entry("wlan0", "0.0.0.0/0", "10.0.0.1", 0), "192.168.1.1"},
		{"halves of the internet, as some VPNs do it", head + home + entry("eth0", "0.0.0.0/1", "10.8.0.1", 900) + entry("eth0", "128.0.0.0/1", "10.8.0.2", 900), "10.8.0.2"},
		{"without a router", head + entry("eth0", "0.0.0.0/0", "0.0.0.0", 0), ""},
		{"only the network around", head + entry("eth0", "192.168.1.0/24", "192.168.1.1", 0), ""},
		{"nothing", head, ""},
		{"empty", "", ""},
		{"nonsense", head + "eth0 0 0 0 0 0 0 0\neth0 00000000 zzzzzzzz 3 0 0 0 00000000\neth0 00000000 0101A8C0 3 0 0 x 00000000\neth0\n", ""},
	} {
		got := routeTo(somewhere.Addr(), "eth0", strings.NewReader(c.table))
		if want, _ := netip.ParseAddr(c.want); got != want {
			t.Errorf("%s: %v, want %v", c.name, got, want)
		}
	}
}

// The text of the table, as a machine with the usual order of bytes has it.
func TestTheTableIsReadAsItIsKept(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("this machine keeps numbers in another order")
	}
	got := routeTo(somewhere.Addr(), "eth0", strings.NewReader("eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"))
	if got != netip.MustParseAddr("192.168.1.1") {
		t.Errorf("the router is %v", got)
	}
}
