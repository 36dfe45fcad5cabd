package portmap

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/bits"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// gatewayOf returns the router that packets for the internet go to through an
// interface. That there is none, as behind most VPNs, is an error.
func gatewayOf(iface string) (netip.Addr, error) {
	file, err := os.Open("/proc/net/route")
	if err != nil {
		return netip.Addr{}, err
	}
	defer func() { _ = file.Close() }()
	gateway := routeTo(somewhere.Addr(), iface, file)
	if !gateway.IsValid() {
		return netip.Addr{}, fmt.Errorf("there is no router behind %s", iface)
	}
	return gateway, nil
}

// routeTo returns the gateway, in the system's table, of the route to an address: the
// most special one, and of those the one with the lowest metric. It is zero when that
// route has none.
func routeTo(to netip.Addr, iface string, table io.Reader) netip.Addr {
	var best struct {
		gateway      netip.Addr
		bits, metric int
	}
	best.bits = -1
	target := binary.BigEndian.Uint32(to.AsSlice())
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		// Iface Destination Gateway Flags RefCnt Use Metric Mask …, the addresses as the
		// machine keeps them
		f := strings.Fields(lines.Text())
		if len(f) < 8 || f[0] != iface {
			continue
		}
		destination, ok1 := parseHex(f[1])
		gateway, ok2 := parseHex(f[2])
		mask, ok3 := parseHex(f[7])
		metric, err := strconv.Atoi(f[6])
		size := bits.OnesCount32(mask)
		if !ok1 || !ok2 || !ok3 || err != nil || target&mask != destination ||
			size < best.bits || size == best.bits && metric >= best.metric {
			continue
		}
		best.bits, best.metric, best.gateway = size, metric, netip.Addr{}
		if gateway != 0 {
			best.gateway = netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, gateway)))
		}
	}
	return best.gateway
}

// parseHex reads an address of the table.
func parseHex(text string) (uint32, bool) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 4 {
		return 0, false
	}
	// The text is the number that the four bytes of the address are on this machine.
	var address [4]byte
	binary.NativeEndian.PutUint32(address[:], binary.BigEndian.Uint32(b))
	return binary.BigEndian.Uint32(address[:]), true
}
