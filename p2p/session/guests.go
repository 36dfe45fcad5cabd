package session

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

const (
	// mostGreeting is how many connections may be in the handshake at a time.
	mostGreeting = 64
	// greetTime is how long a connection that is alone of its host may take for the
	// handshake although others want its place. Honest ones need a few round trips.
	greetTime = 500 * time.Millisecond
	// leastShare is how many places a host may have however few there are.
	leastShare = 2
)

// guests are the connections that one listener has taken. There is a place for each
// of so many, a quarter of the places for those of one host (an IPv4 address or an
// IPv6 /64), but two at least, and 64 at most are in the handshake.
//
// Who is in the handshake has a place only as long as nobody has a better claim to
// it. When none is left for a newcomer, one of those goes: the oldest of the
// newcomer's own host where that has its share, else the oldest of the host that
// has the most of them, or, when every host has but one, the oldest of all if it had
// time enough. So silent connections make room for each other, and none that is open
// ever goes.
type guests struct {
	places int
	share  int
	// local exempts the connections of this machine from the share.
	local bool

	mu       sync.Mutex
	count    int
	of       map[netip.Prefix]int // by host
	greeting []*guest             // in the handshake, the oldest first
}

// guest is one connection and its place.
type guest struct {
	guests *guests
	conn   transport.Conn
	host   netip.Prefix // not valid where there is no share
	since  time.Time
	gone   bool // under the guests' mu
}

func newGuests(places int, local bool) *guests {
	return &guests{places: places, share: max(places/4, leastShare), local: local, of: make(map[netip.Prefix]int)}
}

// admit gives a connection a place, or returns nil. The connection that it returns
// besides has lost its own, and is to be closed.
func (g *guests) admit(conn transport.Conn) (admitted *guest, evicted transport.Conn) {
	host := g.host(conn.Peer())
	g.mu.Lock()
	defer g.mu.Unlock()
	var victim *guest
	switch {
	case host.IsValid() && g.of[host] >= g.share:
		victim = g.oldest(func(h netip.Prefix) bool { return h == host })
	case g.count >= g.places || len(g.greeting) >= mostGreeting:
		victim = g.leastEntitled(host)
	default:
		return g.add(conn, host), nil
	}
	if victim == nil {
		return nil, nil
	}
	g.remove(victim)
	return g.add(conn, host), victim.conn
}

// leastEntitled returns who in the handshake makes room for a newcomer from a host,
// or nil.
func (g *guests) leastEntitled(newcomer netip.Prefix) *guest {
	crowds := make(map[netip.Prefix]int)
	most := 1
	crowd := func(host netip.Prefix) {
		if host.IsValid() {
			crowds[host]++
			most = max(most, crowds[host])
		}
	}
	crowd(newcomer)
	for _, v := range g.greeting {
		crowd(v.host)
	}
	victim := g.oldest(func(host netip.Prefix) bool { return max(crowds[host], 1) == most })
	if victim != nil && most == 1 && time.Since(victim.since) < greetTime {
		return nil
	}
	return victim
}

// oldest returns who has been in the handshake longest, of some hosts.
func (g *guests) oldest(of func(host netip.Prefix) bool) *guest {
	if i := slices.IndexFunc(g.greeting, func(v *guest) bool { return of(v.host) }); i >= 0 {
		return g.greeting[i]
	}
	return nil
}

func (g *guests) add(conn transport.Conn, host netip.Prefix) *guest {
	v := &guest{guests: g, conn: conn, host: host, since: time.Now()}
	g.count++
	g.of[host]++
	g.greeting = append(g.greeting, v)
	return v
}

func (g *guests) remove(v *guest) {
	v.gone = true
	g.greeted(v)
	g.count--
	if g.of[v.host]--; g.of[v.host] == 0 {
		delete(g.of, v.host)
	}
}

func (g *guests) greeted(v *guest) {
	if i := slices.Index(g.greeting, v); i >= 0 {
		g.greeting = slices.Delete(g.greeting, i, i+1)
	}
}

// host is what shares its places, not valid for a peer that has no share.
func (g *guests) host(peer addr.Addr) netip.Prefix {
	ip, ok := peer.IP()
	if !ok || g.local && ip.IsLoopback() {
		return netip.Prefix{}
	}
	return addr.HostNetwork(ip)
}

// errEvicted ends a connection whose place another got.
var errEvicted = errors.New("it took too long for the handshake while others waited")

// stay keeps the place of a connection whose handshake is done, unless another has
// got it.
func (v *guest) stay() error {
	v.guests.mu.Lock()
	defer v.guests.mu.Unlock()
	if v.gone {
		return errEvicted
	}
	v.guests.greeted(v)
	return nil
}

// leave gives the place back.
func (v *guest) leave() {
	v.guests.mu.Lock()
	defer v.guests.mu.Unlock()
	if !v.gone {
		v.guests.remove(v)
	}
}
