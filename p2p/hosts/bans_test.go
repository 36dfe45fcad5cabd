package hosts_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
)

// inbound is an offence of a peer that connected to us.
func inbound(peer string) hosts.Offence {
	return hosts.Offence{Peer: addr.MustParse(peer), Inbound: true, Reason: "it lied"}
}

// dialled is an offence of a peer that we connected to.
func dialled(peer string) hosts.Offence {
	return hosts.Offence{Peer: addr.MustParse(peer), Reason: "it lied"}
}

func refused(h *hosts.Hosts, peer string) bool { return h.Refused(addr.MustParse(peer)) }

func TestB1TheFirstOffenceOfASharedHostIsExcused(t *testing.T) {
	offence := inbound("tcp://8.8.4.4:40000")
	shared := offence
	shared.Shared = true
	for _, row := range []struct {
		name  string
		first hosts.Offence
		known string // an address of the host that has answered
		pause time.Duration
		bans  []bool
	}{
		{"nobody else is there", offence, "", 0, []bool{true}},
		{"others are connected", shared, "", 0, []bool{false, true}},
		{"up to a day later", shared, "", 24*time.Hour - 1, []bool{false, true}},
		{"a day later", shared, "", 24 * time.Hour, []bool{false, false, false}},
		{"a gold address is there", offence, "gold tcp+tls://8.8.4.4:26", 0, []bool{false, true}},
		{"a white address is there", offence, "white tcp://8.8.4.4:26", 0, []bool{false, true}},
		{"a grey address is there", offence, "grey tcp://8.8.4.4:26", 0, []bool{true}},
		{"a gold address is next to it", offence, "gold tcp://8.8.4.5:26", 0, []bool{true}},
		{"a gold address of its /64", inbound("tcp://[2a00:1:2:3::4]:40000"), "gold tcp://[2a00:1:2:3:9::9]:26", 0, []bool{false, true}},
		{"a gold address of its /48", inbound("tcp://[2a00:1:2:3::4]:40000"), "gold tcp://[2a00:1:2:4::4]:26", 0, []bool{true}},
	} {
		for _, network := range []bool{true, false} {
			clock := newWatch()
			h := book(t, func(s *hosts.Settings) { s.Localnet = network }, hosts.WithClock(clock.Now))
			if colour, a, ok := strings.Cut(row.known, " "); ok {
				tell(h, stranger(1), addr.MustParse(a))
				if colour != "grey" {
					h.Answered(addr.MustParse(a))
				}
				if colour == "gold" {
					gold(t, h, addr.MustParse(a))
				}
			}
			for i, want := range row.bans {
				if _, got := h.Offend(row.first); got != want || h.Refused(row.first.Peer) != want {
					t.Errorf("%s: offence %d bans is %v, want %v", row.name, i+1, got, want)
				}
				clock.pass(row.pause)
			}
		}
	}
}

func TestB1WhoIsDialledBearsItsOwnBan(t *testing.T) {
	h := book(t, nil)
	neighbour := ad("tcp://8.8.4.4:27")
	gold(t, h, neighbour)
	tell(h, stranger(1), ad("tcp://8.8.4.4:26"), ad("tcp+tls://8.8.4.4:26"))
	o := dialled("tcp://8.8.4.4:26")
	o.Shared = true
	if b, ok := h.Offend(o); !ok || b.Host != "tcp://8.8.4.4:26/" {
		t.Errorf("got %v, %v", b, ok)
	}
	for peer, want := range map[string]bool{
		"tcp://8.8.4.4:26": true, "tcp+tls://8.8.4.4:26": true, "quic://8.8.4.4:26": true,
		"tcp://8.8.4.4:27": false, "tcp://8.8.4.4:40000": false,
	} {
		if got := refused(h, peer); got != want {
			t.Errorf("%s: refused is %v, want %v", peer, got, want)
		}
	}
	if n := h.Len(hosts.Grey) + h.Len(hosts.Gold); n != 1 || colour(h, neighbour) != "gold" {
		t.Errorf("%d addresses are left, and the neighbour is %s", n, colour(h, neighbour))
	}
	b, ok := h.Offend(dialled("tcp://8.8.4.4:27"))
	if !ok || b.Host != "8.8.4.4" || !refused(h, "tcp://8.8.4.4:40000") || len(h.Bans()) != 1 {
		t.Errorf("a second endpoint of the host: %v, %v, of %v", b, ok, h.Bans())
	}
}

func TestB2BansGrowAndEnd(t *testing.T) {
	const hour = time.Hour
	clock := newWatch()
	h := book(t, func(s *hosts.Settings) { s.BanTime = hour }, hosts.WithClock(clock.Now))
	peer := inbound("tcp://6.6.6.6:1")
	for i, want := range []time.Duration{hour, 2 * hour, 4 * hour, 8 * hour, 16 * hour, 32 * hour, 64 * hour, 128 * hour, 256 * hour, 512 * hour, 720 * hour, 720 * hour} {
		b, ok := h.Offend(peer)
		if !ok || b.Until.Sub(b.Since) != want || !b.Since.Equal(clock.at) || b.Offences != i+1 {
			t.Fatalf("ban %d: %+v, %v, want %v", i+1, b, ok, want)
		}
		clock.pass(want - 1)
		if !h.Refused(peer.Peer) || len(h.Bans()) != 1 || h.Len(hosts.Black) != 1 {
			t.Errorf("ban %d is over before its time", i+1)
		}
		clock.pass(1)
		if h.Refused(peer.Peer) || len(h.Bans()) != 0 || h.Len(hosts.Black) != 0 || len(h.List(hosts.Black)) != 0 || colour(h, peer.Peer) != "refused" {
			t.Errorf("ban %d is not over at its time", i+1)
		}
	}
	clock.pass(720*hour - 1)
	if b, _ := h.Offend(peer); b.Until.Sub(b.Since) != 720*hour || b.Offences != 13 {
		t.Errorf("as long after it as the ban lasted: %+v", b)
	}
	clock.pass(2 * 720 * hour)
	if b, _ := h.Offend(peer); b.Until.Sub(b.Since) != hour || b.Offences != 1 {
		t.Errorf("when it is forgotten: %+v", b)
	}
}

func TestABanLastsADayWhenNothingIsSaid(t *testing.T) {
	if b := ban(t, book(t, nil), target); b.Until.Sub(b.Since) != 24*time.Hour {
		t.Errorf("%v", b.Until.Sub(b.Since))
	}
}

// A host with several connections, each of which ends for an offence, is banned
// once.
func TestOffencesDuringABanDoNotExtendIt(t *testing.T) {
	clock := newWatch()
	h := book(t, nil, hosts.WithClock(clock.Now))
	first, _ := h.Offend(inbound("tcp://6.6.6.6:1"))
	clock.pass(time.Second)
	again, ok := h.Offend(inbound("tcp://6.6.6.6:2"))
	if first.Offences++; !ok || again != first || len(h.Bans()) != 1 || h.Bans()[0] != first {
		t.Errorf("got %+v, %v, want %+v", again, ok, first)
	}
}

func TestB3ManyOffendersAreBounded(t *testing.T) {
	for name, row := range map[string]struct {
		at   func(i int) addr.Addr
		want int
	}{
		"one /64":      {func(i int) addr.Addr { return ad("tcp://[2a00:1:2:3::%x]:1", i) }, 1},
		"many of them": {func(i int) addr.Addr { return ad("tcp://[2a00:1:%x:%x::1]:1", i/100, i%100) }, 10_000},
	} {
		clock := newWatch()
		h := book(t, func(s *hosts.Settings) {
			s.Blacklist = blacklist(t, []blacklistRow{{Host: "6.6.6.6", Schemes: []string{"tcp"}}, {Host: "[2a00:5::1]", Schemes: []string{"tcp"}}})
		}, hosts.WithClock(clock.Now))
		for i := range 20_000 {
			h.Offend(hosts.Offence{Peer: row.at(i), Inbound: true})
			clock.pass(time.Millisecond)
		}
		if n := len(h.Bans()); n != row.want {
			t.Errorf("%s: %d bans, want %d", name, n, row.want)
		}
		if !h.Refused(row.at(19_999)) || h.Refused(row.at(0)) != (row.want == 1) {
			t.Errorf("%s: not the ones that end first went", name)
		}
		if !refused(h, "tcp://6.6.6.6:1") || !refused(h, "tcp://[2a00:5::1]:1") {
			t.Errorf("%s: an entry of the operator's is gone", name)
		}
		if n := h.Records(); n > 20_000 {
			t.Errorf("%s: %d hosts are remembered", name, n)
		}
		for i := range 30_000 { // excused ones are bounded too
			h.Offend(hosts.Offence{Peer: ad("tcp://[2a01:1:%x:%x::1]:1", i/200, i%200), Inbound: true, Shared: true})
		}
		if n := h.Records(); n != 20_000 {
			t.Errorf("%s: %d hosts are remembered, want 20,000", name, n)
		}
	}
}

func TestWhoIsNeverBanned(t *testing.T) {
	configured := func(s *hosts.Settings) {
		s.Peers = addrs([]string{"tcp://7.7.7.7:7", "tcp://[2a00:7::7]:7", "tcp://peer.example.com:7", "tcp://127.0.0.1:7"})
		s.Seeds = addrs([]string{"tcp://5.5.5.5:5"})
	}
	for _, row := range []struct {
		offence         hosts.Offence
		banned, inLocal bool
	}{
		{dialled("tcp://7.7.7.7:7"), false, false},
		{dialled("tcp+tls://7.7.7.7:7"), false, false},
		{dialled("tcp://7.7.7.7:8"), true, true},
		{dialled("tcp://PEER.example.com:7"), false, false},
		{dialled("tcp://peer.example.com:8"), true, true},
		{dialled("tcp://5.5.5.5:5"), false, false},
		{inbound("tcp://7.7.7.7:40000"), false, false},
		{inbound("tcp://[2a00:7::8]:40000"), false, false},
		{inbound("tcp://[2a00:7:0:1::8]:40000"), true, true},
		{inbound("tcp://5.5.5.5:40000"), false, false},
		{inbound("unix:///run/node.sock"), false, false},
		{dialled("unix:///run/node.sock"), false, false},
		{inbound("tcp://10.0.0.1:40000"), false, true},
		{inbound("tcp://192.168.0.1:40000"), false, true},
		{dialled("tcp://[fd00::1]:26"), false, true},
		{inbound("tcp://127.0.0.1:40000"), false, true},
		{inbound("tcp://[::1]:40000"), false, true},
		{dialled("tcp://localhost:26"), false, true},
		{dialled("tcp://127.0.0.1:7"), false, false},
		{hosts.Offence{}, false, false},
	} {
		for _, network := range []bool{true, false} {
			h := book(t, func(s *hosts.Settings) { configured(s); s.Localnet = network })
			want := row.banned
			if network {
				want = row.inLocal
			}
			for range 3 {
				if b, got := h.Offend(row.offence); got != want || h.Refused(row.offence.Peer) != want {
					t.Errorf("localnet %v, %+v: %v, %v, want %v", network, row.offence, b, got, want)
				}
			}
		}
	}
}

// Nodes of one machine: a ban of the machine leaves the configured one alone.
func TestABanOfThisMachineSparesConfiguredPeers(t *testing.T) {
	h := book(t, func(s *hosts.Settings) { s.Localnet = true; s.Peers = addrs([]string{"tcp://127.0.0.1:7"}) })
	h.Offend(inbound("tcp://127.0.0.1:40000"))
	if refused(h, "tcp://127.0.0.1:7") || !refused(h, "tcp://127.0.0.1:8") {
		t.Error("refused are not the others alone")
	}
}

// On one machine a port is a node.
func TestTwoNodesOfThisMachineAreBannedEachForItself(t *testing.T) {
	h := book(t, localnet)
	for port := range 3 {
		h.Offend(dialled(fmt.Sprintf("tcp://127.0.0.1:%d", 1+port)))
	}
	if !refused(h, "tcp://127.0.0.1:1") || !refused(h, "tcp://127.0.0.1:3") || refused(h, "tcp://127.0.0.1:4") {
		t.Errorf("banned are %v", h.Bans())
	}
}

func TestTwoEndpointsAtTheHostOfAConfiguredPeer(t *testing.T) {
	h := book(t, func(s *hosts.Settings) { s.Peers = addrs([]string{"tcp://7.7.7.7:7"}) })
	for i := range 3 {
		h.Offend(dialled(fmt.Sprintf("tcp://7.7.7.7:%d", 100+i)))
	}
	if refused(h, "tcp://7.7.7.7:7") || refused(h, "tcp://7.7.7.7:40000") || !refused(h, "tcp://7.7.7.7:102") {
		t.Errorf("banned are %v", h.Bans())
	}
}

func TestBansAreListedTheLatestFirst(t *testing.T) {
	clock := newWatch()
	h := book(t, nil, hosts.WithClock(clock.Now))
	for _, o := range []hosts.Offence{
		dialled("tcp://u:secret@6.6.6.6:1?cookie"), inbound("tcp://6.6.6.7:1"), inbound("tcp://[2a00:1:2:3::4]:1"), inbound("tcp://Name.example.com.:1"),
	} {
		o.Reason = "first\nsecond\x1b[31m \xff" + strings.Repeat("long ", 100)
		if _, ok := h.Offend(o); !ok {
			t.Fatalf("%+v is not banned", o)
		}
		clock.pass(time.Second)
	}
	var got []string
	for _, b := range h.Bans() {
		got = append(got, b.Host)
		if len(b.Reason) > 200 || !strings.HasPrefix(b.Reason, "first second [31m") || strings.ContainsAny(b.Reason, "\n\x1b") || !utf8.ValidString(b.Reason) {
			t.Errorf("reason %q", b.Reason)
		}
	}
	if want := "[name.example.com 2a00:1:2:3::/64 6.6.6.7 tcp://6.6.6.6:1/]"; fmt.Sprint(got) != want {
		t.Errorf("banned %v, want %v", got, want)
	}
}

func TestUnban(t *testing.T) {
	const four, six, name, one = "6.6.6.7", "2a00:1:2:3::/64", "name.example.com", "tcp://6.6.6.6:1/"
	for text, lifts := range map[string]string{
		four: four, " 6.6.6.7\n": four, "tcp://6.6.6.7:99": four, "::ffff:6.6.6.7": four, "6.6.6.7/32": four, "6.6.6.7:5": four,
		six: six, "2a00:1:2:3::9": six, "[2a00:1:2:3::9]": six, "tcp://[2A00:1:2:3::9]:5": six, "2a00:1::/32": six, "2a00:1:2:3::7/128": six,
		name: name, "NAME.example.com.": name, "quic://name.Example.com:5": name,
		one: one, "tcp+tls://6.6.6.6:1": one, "6.6.6.6": one, "6.6.6.6:1": one, "tcp://6.6.6.6": one,
		"6.6.6.6/31": four + " " + one, "0.0.0.0/0": four + " " + one,
		"6.6.6.6:2": "", "tcp://6.6.6.6:2": "", "6.6.6.8": "", "2a00:1:2:4::": "", "example.com": "", "": "", "tcp://": "", "\x00": "", "unix:///x": "",
	} {
		h := book(t, nil)
		h.Offend(dialled("tcp://6.6.6.6:1"))
		h.Offend(inbound("tcp://6.6.6.7:1"))
		h.Offend(inbound("tcp://[2a00:1:2:3::4]:1"))
		h.Offend(inbound("tcp://name.example.com:1"))
		if got := h.Unban(text); got != (lifts != "") {
			t.Errorf("Unban(%q) is %v", text, got)
		}
		left := fmt.Sprint(h.Bans())
		for _, host := range []string{four, six, name, one} {
			if want := !strings.Contains(lifts, host); strings.Contains(left, "{"+host+" ") != want {
				t.Errorf("Unban(%q): banned %s is %v, want %v", text, host, !want, want)
			}
		}
		if h.Unban(text) {
			t.Errorf("Unban(%q) lifts a ban twice", text)
		}
	}
}

func TestUnbanForgetsOffences(t *testing.T) {
	clock := newWatch()
	h := book(t, nil, hosts.WithClock(clock.Now))
	for range 3 {
		b, _ := h.Offend(inbound("tcp://6.6.6.6:1"))
		if b.Until.Sub(b.Since) != 24*time.Hour || b.Offences != 1 {
			t.Errorf("%+v", b)
		}
		h.Unban("6.6.6.6")
	}
	h.Offend(inbound("tcp://6.6.6.6:1"))
	clock.pass(24 * time.Hour)
	if h.Unban("6.6.6.6") {
		t.Error("a ban that is over was lifted")
	}
	if b, _ := h.Offend(inbound("tcp://6.6.6.6:1")); b.Offences != 1 {
		t.Errorf("%+v", b)
	}
}
