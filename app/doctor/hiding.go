package doctor

import (
	"net/netip"
	"strings"

	"dchat/p2p/addr"
)

// hides tells whether the node connects to others through proxies only, so that they do
// not see where it is. Sockets of this machine show it to nobody.
func (e *examination) hides() bool {
	routes := e.Settings.Routes()
	hidden := false
	for _, scheme := range e.Settings.ActiveProfiles {
		switch base := strings.TrimSuffix(scheme, "+tls"); base {
		case addr.Tor, addr.I2P, addr.Nym, addr.Socks5:
			hidden = true
		case addr.Unix:
		default:
			sample := addr.FromIP(scheme, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), 1))
			if _, mixed := routes.Of(sample); !mixed {
				return false
			}
		}
	}
	return hidden
}

// giveaways warns of the addresses at which a node that hides can be found all the
// same.
func (e *examination) giveaways() {
	if !e.hides() {
		return
	}
	for _, a := range e.inbound() {
		if exposed(a) {
			e.add(Check{Stage: StageExternal, Target: show(a), Status: Warn,
				Detail: "this node connects through proxies only, but listens where others see its own address: it gives itself away",
				Advice: "Listen at 127.0.0.1, and let an onion service lead to it; or take it out of inbound."})
		}
	}
	if e.Settings.PortMapping {
		e.add(Check{Stage: StageExternal, Status: Warn,
			Detail: "this node connects through proxies only, but has the router lead others to it: it gives itself away",
			Advice: "Set port_mapping to false."})
	}
	for _, a := range e.Settings.ExternalAddrs {
		if exposed(a) {
			e.add(Check{Stage: StageExternal, Target: show(a), Status: Warn,
				Detail: "this node connects through proxies only, but tells everybody this address: it gives itself away",
				Advice: "Take it out of external_addrs, or give the address of an onion service there."})
		}
	}
}

// exposed tells whether an address says where its machine is, outside of the machine.
func exposed(a addr.Addr) bool {
	ip, isIP := a.IP()
	switch {
	case a.Scheme() == addr.Unix || addr.Overlay(a.Hostname()) != "":
		return false
	case isIP:
		return !ip.IsLoopback()
	}
	return strings.ToLower(strings.TrimRight(a.Hostname(), ".")) != "localhost"
}
