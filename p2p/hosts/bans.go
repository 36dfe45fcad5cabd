package hosts

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"dchat/p2p/addr"
	"dchat/p2p/wire"
)

// Ban is a peer that broke the protocol and is refused for a time.
type Ban struct {
	Host     string // an IP, an IPv6 /64, a name, or one address of a host
	Reason   string // one line of printable text, at most 200 bytes
	Since    time.Time
	Until    time.Time
	Offences int // of this host so far
}

// Offence is what a peer did against the protocol.
type Offence struct {
	Peer    addr.Addr
	Inbound bool   // the peer connected to us, so its port says nothing
	Shared  bool   // others are connected from the same host
	Reason  string // a short phrase for people
}

const (
	defaultBanTime = 24 * time.Hour
	longestBan     = 30 * 24 * time.Hour
	// strikeTime is how long an offence that was excused is remembered.
	strikeTime = 24 * time.Hour
	// mostRecords is how many hosts' offences are remembered.
	mostRecords = 20_000
	// longestReason is how long a Ban's Reason is at most, in bytes.
	longestReason = 200
)

// banned is a ban in force.
type banned struct {
	ban  Ban
	peer addr.Addr // that it was for
}

// record is what is remembered of a host.
type record struct {
	offences, bans int
	first          endpoint // the one endpoint that was banned; zero when it was the host
}

// Offend notes an offence and returns the ban that comes of it, or the one that
// is in force; false when none does.
//
// A peer that connected to us is banned with its whole host: all ports and
// schemes, of IPv6 the /64. One that we dialled is banned as one host and port,
// whatever the scheme. When another port of its host was banned before, the whole
// host is, unless that is this machine.
//
// The first offence of a peer that connects from a shared host is excused; the next
// one within a day is not. Shared is a host from which others are connected, or of
// which an address is gold or white.
//
// A ban lasts for Settings.BanTime, and each further one of the same host twice as
// long, up to 30 days; that is forgotten when the host has been free for as long as
// it was banned. What is banned goes off the lists. There are 10,000 bans at most:
// those that end first go.
//
// Never banned are configured peers and seeds; a peer that connects from the host of
// one, unless that is this machine; unix sockets; and, unless in a localnet, hosts of
// private networks and of this machine.
func (h *Hosts) Offend(o Offence) (Ban, bool) {
	key := endpointOf(o.Peer)
	host := key.everyPort()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.bannable(o, key) {
		return Ban{}, false
	}
	now := h.now()
	h.bans.expire(now)
	h.records.expire(now)
	known, rec := h.records.byKey[host], record{}
	if known != nil {
		rec = known.value
	}
	rec.offences++
	if b := h.banOf(key); b != nil {
		b.ban.Offences = rec.offences
		if known != nil {
			known.value = rec
		}
		return b.ban, true
	}
	if known == nil && o.Inbound && (o.Shared || h.holds(host)) {
		h.records.put(host, rec, now.Add(strikeTime))
		return Ban{}, false
	}
	return h.ban(o, key, rec, now), true
}

func (h *Hosts) bannable(o Offence, key endpoint) bool {
	r := h.rules.Load()
	switch {
	case o.Peer.Host() == "", key.port == 0 && !o.Inbound:
		return false
	case !h.localnet && reachOf(o.Peer) != everywhere:
		return false
	case o.Inbound:
		return !r.spared[key.everyPort()]
	}
	return !r.spared[key.socket()]
}

// holds tells whether an address of a host has answered us.
func (h *Hosts) holds(host endpoint) bool {
	return slices.ContainsFunc(h.entriesOf(host), func(e *entry) bool { return e.colour == Gold || e.colour == White })
}

// ban puts a ban into force.
func (h *Hosts) ban(o Offence, key endpoint, rec record, now time.Time) Ban {
	host, target := key.everyPort(), key.socket()
	another := rec.bans > 0 && rec.first != target && reachOf(o.Peer) != thisMachine
	if o.Inbound || another && !h.rules.Load().spared[host] {
		h.bans.drop(rec.first)
		target = host
		rec.first = endpoint{}
	} else {
		rec.first = target
	}
	length := min(h.banTime, longestBan)
	for range min(rec.bans, 64) {
		length = min(2*length, longestBan)
	}
	rec.bans++
	b := Ban{
		Host:     h.written(target, o.Peer),
		Reason:   oneLine(o.Reason),
		Since:    now,
		Until:    now.Add(length),
		Offences: rec.offences,
	}
	h.bans.put(target, banned{ban: b, peer: o.Peer}, b.Until)
	h.records.put(host, rec, b.Until.Add(length))
	h.expel(target)
	return b
}

// written is a host, or one address of it, for people; Unban reads it.
func (h *Hosts) written(target endpoint, peer addr.Addr) string {
	switch {
	case target.port != 0:
		return peer.Public().String()
	case target.ip.Is6():
		return netip.PrefixFrom(target.ip, 64).String()
	case target.ip.IsValid():
		return target.ip.String()
	}
	return target.name
}

// oneLine makes a text fit for a line of a log or a terminal.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	return strings.TrimSpace(strings.ToValidUTF8(text[:min(len(text), longestReason)], ""))
}

// Bans returns the bans in force, the latest first.
func (h *Hosts) Bans() []Ban {
	h.mu.Lock()
	h.bans.expire(h.now())
	bans := make([]Ban, 0, len(h.bans.byKey))
	for _, b := range h.bans.byKey {
		bans = append(bans, b.value.ban)
	}
	h.mu.Unlock()
	slices.SortFunc(bans, func(a, b Ban) int { return cmp.Or(b.Since.Compare(a.Since), cmp.Compare(a.Host, b.Host)) })
	return bans
}

func (h *Hosts) black(now uint64) (entries []wire.Entry) {
	h.bans.expire(h.now())
	for _, b := range h.bans.byKey {
		entries = append(entries, wire.Entry{Addr: b.value.peer, LastSeen: min(uint64(max(b.value.ban.Since.Unix(), 0)), now)})
	}
	return entries
}

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
		return func(key endpoint) bool { return addr.HostNetwork(key.ip).Overlaps(net) }, true
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
