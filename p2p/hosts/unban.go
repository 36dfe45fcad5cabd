package hosts

import (
	"net/netip"
	"strings"

	"dchat/p2p/addr"
)

// Unban lifts all bans of a host and forgets its offences. The host is written as
// in Ban, as an IP, a network, a name or an address; an address with a port stands for
// itself and for its host. Unban reports whether there was a ban.
func (h *Hosts) Unban(host string) bool {
	means, ok := hostsMeant(strings.TrimSpace(host))
	if !ok {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bans.expire(h.now())
	lifted := false
	for key := range h.bans.byKey {
		if means(key) {
			h.bans.drop(key)
			lifted = true
		}
	}
	for key := range h.records.byKey {
		if means(key) {
			h.records.drop(key)
		}
	}
	if lifted {
		h.tell()
	}
	return lifted
}

// hostsMeant returns what tells whether a ban is on what somebody wrote.
func hostsMeant(text string) (means func(endpoint) bool, ok bool) {
	if net, err := netip.ParsePrefix(text); err == nil {
		return func(key endpoint) bool { return key.ip.IsValid() && key.everyPort().within(32, 64).net.Overlaps(net) }, true
	}
	if ip, err := netip.ParseAddr(text); err == nil && ip.Is6() {
		text = "[" + ip.WithZone("").String() + "]"
	}
	if !strings.Contains(text, "://") {
		text = addr.TCP + "://" + text
	}
	a, err := addr.Parse(text)
	if err != nil || a.Host() == "" {
		return nil, false
	}
	meant := endpointOf(a)
	return func(key endpoint) bool {
		if meant.port == 0 {
			key = key.everyPort()
		}
		return key == meant.socket() || key == meant.everyPort()
	}, true
}
