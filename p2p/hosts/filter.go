package hosts

import (
	"net/netip"
	"strings"

	"dchat/p2p/addr"
)

// Reasons of a RefusedError.
const (
	reasonPort       = "it has no host or no port"
	reasonParts      = "it has more than a scheme, a host and a port"
	reasonConfigured = "it is a configured peer or seed"
	reasonBlack      = "it is blacklisted"
	reasonOwn        = "it is our own"
	reasonReach      = "it cannot be reached from where it comes from"
	reasonForm       = "it is not valid for its scheme"
	reasonFull       = "there is no room for it"
)

// rules are what is asked of every address before it comes on a list. They do
// not change, and need no lock.
type rules struct {
	localnet   bool
	dialable   map[string]bool
	configured map[endpoint]bool
	own        map[endpoint]bool // without their schemes
	blacklist  Blacklist
}

func newRules(s Settings) rules {
	r := rules{
		localnet:   s.Localnet,
		dialable:   make(map[string]bool),
		configured: make(map[endpoint]bool),
		own:        make(map[endpoint]bool),
		blacklist:  s.Blacklist,
	}
	for _, scheme := range s.Dialable {
		r.dialable[scheme] = true
	}
	for _, list := range [][]addr.Addr{s.Peers, s.Seeds} {
		for _, a := range list {
			r.configured[endpointOf(a)] = true
		}
	}
	for _, a := range s.External {
		r.own[endpointOf(a).socket()] = true
	}
	return r
}

// judge returns the list on which an address that was told from somewhere
// begins, Grey or Dark, or the reason why on none.
func (r *rules) judge(a addr.Addr, key endpoint, from reach) (_ Colour, reason string) {
	switch {
	case key.port == 0 || a.Host() == "":
		return 0, reasonPort
	case a.Public() != a || a.Path() != "" && a.Path() != "/":
		return 0, reasonParts
	case r.configured[key]:
		return 0, reasonConfigured
	case r.blacklist.has(key):
		return 0, reasonBlack
	case r.own[key.socket()]:
		return 0, reasonOwn
	case !r.reaches(a, from):
		return 0, reasonReach
	case !wellFormed(key.scheme, a.Host()):
		return 0, reasonForm
	case !r.dialable[key.scheme]:
		return Dark, ""
	}
	return Grey, ""
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
