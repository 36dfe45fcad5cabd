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
// whatever the scheme, and its host, unless that is this machine, when that had
// been banned already for another endpoint. The first offence of who connects from
// a host that is shared with others, connected now or gold or white, is excused;
// the next one within a day is not. A ban lasts for Settings.BanTime, and each further one of
// the same host twice as long, up to 30 days; that is forgotten when the host has
// been free for as long as it was banned. What is banned goes off the lists. There
// are 10,000 bans at most: those that end first go.
//
// Never banned are peers and seeds that are configured, who connects from the host
// of one unless that is this machine, unix sockets and, unless in a
// localnet, hosts of private networks and of this machine.
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

// restoreBan puts a line of the file into force, from now.
func (h *Hosts) restoreBan(line wire.Entry, key endpoint) bool {
	if key.port == 0 || !h.bannable(Offence{Peer: line.Addr}, key) || h.banned(key) {
		return false
	}
	now := h.now()
	b := Ban{
		Host:     h.written(key.socket(), line.Addr),
		Reason:   "it stands in the host list",
		Since:    time.Unix(int64(notAhead(line.LastSeen, h.unix())), 0),
		Until:    now.Add(min(h.banTime, longestBan)),
		Offences: 1,
	}
	h.bans.put(key.socket(), banned{ban: b, peer: line.Addr}, b.Until)
	h.expel(key.socket())
	return true
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

// banOf returns the ban that an address is under, or nil.
func (h *Hosts) banOf(key endpoint) *banned {
	if h.rules.Load().spared[key.socket()] {
		return nil
	}
	now := h.now()
	if b := h.bans.get(key.everyPort(), now); b != nil {
		return b
	}
	return h.bans.get(key.socket(), now)
}

func (h *Hosts) banned(key endpoint) bool { return h.banOf(key) != nil }

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

// Refused tells whether an address is to be left alone, be it one to dial or that
// of a peer which connects: the operator refuses it, it is banned, or it turned
// out to be our own. It takes the time of some map lookups, whatever the number of
// bans.
func (h *Hosts) Refused(a addr.Addr) bool {
	key := endpointOf(a)
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rules.Load().blacklist.has(key) || h.barred(key)
}

// SameHost tells whether two addresses count as one host to bans: the same IPv4
// address, the same /64 of IPv6, the same name.
func SameHost(a, b addr.Addr) bool { return endpointOf(a).everyPort() == endpointOf(b).everyPort() }
