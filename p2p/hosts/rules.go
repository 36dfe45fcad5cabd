package hosts

import (
	"net/netip"
	"strings"

	"dchat/p2p/addr"
)

// rules are what is asked of every address before it comes on a list. They do
// not change, and need no lock.
type rules struct {
	localnet  bool
	dialable  map[string]bool
	own       map[endpoint]bool // without their schemes
	blacklist Blacklist
	seeds     int // how many there are

	// The peers and seeds of the operator.
	configured map[endpoint]bool
	spared     map[endpoint]bool // without their schemes, and their hosts but for this machine
}

func newRules(s Settings) *rules {
	r := rules{localnet: s.Localnet, dialable: make(map[string]bool), own: make(map[endpoint]bool)}
	for _, scheme := range s.Dialable {
		r.dialable[scheme] = true
	}
	for _, a := range s.External {
		r.own[endpointOf(a).socket()] = true
	}
	return r.with(s.Peers, s.Seeds, s.Blacklist)
}

// with returns a copy with what the operator may change.
func (r rules) with(peers, seeds []addr.Addr, blacklist Blacklist) *rules {
	r.blacklist, r.seeds = blacklist, len(seeds)
	r.configured, r.spared = make(map[endpoint]bool), make(map[endpoint]bool)
	for _, list := range [][]addr.Addr{peers, seeds} {
		for _, a := range list {
			key := endpointOf(a)
			r.configured[key] = true
			r.spared[key.socket()] = true
			if reachOf(a) != thisMachine {
				r.spared[key.everyPort()] = true
			}
		}
	}
	return &r
}

// Configure replaces what the operator may change while the node runs. What is
// now a configured peer or seed, or refused, goes off the lists; bans that were on
// what is now configured end.
func (h *Hosts) Configure(peers, seeds []addr.Addr, blacklist Blacklist) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rules.Load().with(peers, seeds, blacklist)
	h.rules.Store(r)
	for _, l := range h.lists {
		for i := len(l.entries) - 1; i >= 0; i-- {
			if e := l.entries[i]; r.configured[e.key] || r.blacklist.has(e.key) {
				h.remove(e)
			}
		}
	}
	for key := range h.bans.byKey {
		if r.spared[key] {
			h.bans.drop(key)
		}
	}
	h.tell()
}

// judge returns the list on which an address that was told from somewhere
// begins, Grey or Dark; not ok when on none.
func (r *rules) judge(a addr.Addr, key endpoint, from reach) (_ Colour, ok bool) {
	switch {
	case key.port == 0 || a.Host() == "", // nobody can be reached there
		a.Public() != a || len(a.Path()) > 1, // an alias of the address without these
		r.configured[key], r.blacklist.has(key), r.own[key.socket()],
		!r.reaches(a, from), !wellFormed(key.scheme, a.Host()):
		return 0, false
	case !r.dialable[key.scheme]:
		return Dark, true
	}
	return Grey, true
}

func (r *rules) reaches(a addr.Addr, from reach) bool {
	far := reachOf(a)
	return far == everywhere || r.localnet && far <= from
}

// reach is from how far an address can be reached, from far to near.
type reach int

const (
	everywhere reach = iota
	nearby           // the networks around: private, link-local and the like
	thisMachine
	nowhere // multicast, unspecified and such
)

func reachOf(a addr.Addr) reach {
	a = destination(a)
	if a.IsGlobal() {
		return everywhere
	}
	ip, ok := a.IP()
	switch {
	case !ok && isLocalhost(a):
		return thisMachine
	case !ok:
		return nearby
	case ip.IsUnspecified(), ip.IsMulticast(), ip.Is4In6(), ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return nowhere
	case ip.IsLoopback():
		return thisMachine
	}
	return nearby
}

// tellerReach is how near the addresses may be that a peer tells: nearer ones
// than itself mean something else where it is.
func tellerReach(peer addr.Addr) reach {
	peer = destination(peer)
	_, ok := peer.IP()
	switch {
	case ok:
		return reachOf(peer)
	case peer.Host() == "" || isLocalhost(peer): // a socket of this machine
		return thisMachine
	}
	return nearby // a name says nothing about where it leads
}

func isLocalhost(a addr.Addr) bool {
	name := strings.ToLower(strings.TrimRight(a.Host(), "."))
	return name == "localhost" || name == "localhost.localdomain" || strings.HasSuffix(name, ".localhost")
}

// maxName is the longest host, in bytes, that is kept.
const maxName = 255

// wellFormed tells whether a host can be one of its scheme. Schemes whose
// addresses cannot be judged have no such host.
func wellFormed(scheme, host string) bool {
	if len(host) > maxName || strings.Trim(host, ".") == "" {
		return false
	}
	switch scheme {
	case addr.TCP, addr.TCPTLS:
		return true
	case addr.QUIC: // its hosts are not normalised: leave one way to write a name
		return strings.HasPrefix(host, "[") || isName(host)
	case addr.Tor, addr.TorTLS:
		return addr.IsOnion(host)
	case addr.I2P, addr.I2PTLS:
		return addr.IsI2P(host)
	}
	return false
}

func isName(host string) bool {
	for _, c := range []byte(host) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return true
}
