package hosts_test

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
	"dchat/p2p/wire"
)

func TestB5BansKnowEveryForm(t *testing.T) {
	for _, row := range []struct {
		peer  string
		forms []string
		other []string
	}{
		{"tcp://6.6.6.6:40000", []string{
			"tcp://6.6.6.6:40000", "tcp://6.6.6.6:26", "tcp+tls://6.6.6.6:26", "quic://6.6.6.6:26", "tcp://[::ffff:6.6.6.6]:26",
			"quic://[::FFFF:606:606]:26", "tcp://0x6060606:26", "tcp://6.6.6.6.:26/x?y#z",
		}, []string{"tcp://6.6.6.7:40000", "tcp://[::6.6.6.6]:26", "tcp://6.6.6.6.example.com:26"}},
		{"tcp://[2a00:1:2:3::4]:40000", []string{
			"tcp://[2A00:1:2:3:0:0:0:4]:40000", "tcp://[2a00:1:2:3::4]:26", "tcp+tls://[2a00:1:2:3::5]:26", "quic://[2a00:1:2:3:ffff::]:1",
		}, []string{"tcp://[2a00:1:2:4::4]:40000"}},
		{"tcp://Bad.example.com:1", []string{
			"tcp://bad.example.com:2", "quic://BAD.example.com.:1", "tcp+tls://bad.EXAMPLE.com:1",
		}, []string{"tcp://x.bad.example.com:1", "tcp://example.com:1"}},
	} {
		h := book(t, nil)
		if _, ok := h.Offend(inbound(row.peer)); !ok {
			t.Fatalf("%s was not banned", row.peer)
		}
		for _, form := range row.forms {
			if !refused(h, form) || colour(h, addr.MustParse(form)) != "black" {
				t.Errorf("%s is banned and %s is not", row.peer, form)
			}
		}
		for _, other := range row.other {
			if refused(h, other) {
				t.Errorf("%s is banned, and so is %s", row.peer, other)
			}
		}
	}
}

func TestABanTakesAddressesOffTheLists(t *testing.T) {
	for _, network := range []bool{true, false} {
		h := book(t, func(s *hosts.Settings) { s.Localnet = network })
		grey, white, goldOne := ad("tcp://6.6.6.6:1"), ad("tcp://6.6.6.6:2"), ad("tcp+tls://6.6.6.6:3")
		tell(h, stranger(1), grey, ad("i2p://stats.i2p:1"), ad("tcp://6.6.6.7:1"))
		h.Answered(white)
		gold(t, h, goldOne)
		h.Offend(inbound("tcp://6.6.6.6:9"))
		h.Offend(inbound("tcp://6.6.6.6:9"))
		tell(h, stranger(2), grey)
		h.Answered(white)
		gold(t, h, goldOne)
		for _, a := range []addr.Addr{grey, white, goldOne} {
			if got := colour(h, a); got != "black" {
				t.Errorf("%s is %s", a, got)
			}
		}
		if h.Len(hosts.Grey) != 1 || h.Len(hosts.White) != 0 || h.Len(hosts.Gold) != 0 || h.Len(hosts.Dark) != 1 {
			t.Errorf("left are %v", h.List(hosts.Grey))
		}
	}
}

func TestSameHost(t *testing.T) {
	for _, row := range []struct {
		a, b string
		same bool
	}{
		{"tcp://8.8.8.8:1", "quic://8.8.8.8:2", true},
		{"tcp://8.8.8.8:1", "tcp://[::ffff:8.8.8.8]:2", true},
		{"tcp://8.8.8.8:1", "tcp://8.8.8.9:1", false},
		{"tcp://[2a00:1:2:3::1]:1", "tcp://[2a00:1:2:3:f::1]:1", true},
		{"tcp://[2a00:1:2:3::1]:1", "tcp://[2a00:1:2:4::1]:1", false},
		{"tcp://A.example.com:1", "tcp://a.example.com.:1", true},
		{"tcp://a.example.com:1", "tcp://b.example.com:1", false},
		{"unix:///a", "unix:///b", false},
		{"socks5://127.0.0.1:9050/a.example.com:1", "socks5://127.0.0.1:9050/b.example.com:1", false},
		{"socks5://127.0.0.1:9050/a.example.com:1", "socks5+tls://127.0.0.1:1080/a.example.com:2", true},
	} {
		if got := hosts.SameHost(addr.MustParse(row.a), addr.MustParse(row.b)); got != row.same {
			t.Errorf("%s and %s: %v", row.a, row.b, got)
		}
	}
}

func TestB3LookingUpABanAllocatesNothing(t *testing.T) {
	h := book(t, nil)
	ban(t, h, target)
	for _, text := range []string{"tcp://8.8.8.8:26", "tcp://[2a00:1:2:3::4]:40000", "tcp+tls://node.example.com:1"} {
		a := addr.MustParse(text)
		if n := testing.AllocsPerRun(100, func() { h.Refused(a) }); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

func TestOurOwnAddressIsRefusedForADay(t *testing.T) {
	clock := newWatch()
	h := book(t, nil, hosts.WithClock(clock.Now))
	gold(t, h, target)
	h.Ours(target)
	for range 2 {
		tell(h, stranger(1), target)
		h.Answered(target)
		gold(t, h, target)
		if got := colour(h, target); got != "refused" || !h.Refused(target) || !refused(h, "tcp+tls://8.8.8.8:26") {
			t.Fatalf("our own address is %s", got)
		}
		clock.pass(24*time.Hour - 1)
	}
	if refused(h, "tcp://8.8.8.8:27") {
		t.Error("and so is that of a neighbour")
	}
	if tell(h, stranger(1), target); colour(h, target) != "grey" {
		t.Errorf("after a day it is %s", colour(h, target))
	}
}

func TestOurOwnAddressesAreBounded(t *testing.T) {
	clock := newWatch()
	h := book(t, nil, hosts.WithClock(clock.Now))
	for i := range 1001 {
		h.Ours(apart(i))
		clock.pass(time.Second)
	}
	h.Ours(ad("unix:///run/node.sock"))
	if h.Refused(apart(0)) || !h.Refused(apart(1)) || !h.Refused(apart(1000)) {
		t.Error("not the first went")
	}
}

// A peer behind a proxy is where it is itself, wherever the proxy is.
func TestAPeerBehindAProxyIsJudgedByItsOwnPlace(t *testing.T) {
	far, near := addr.MustParse("socks5://127.0.0.1:9050/8.8.8.8:1"), addr.MustParse("socks5+tls://9.9.9.9:1080/10.0.0.1:1")
	for _, c := range []struct {
		name    string
		peers   []addr.Addr
		offence hosts.Offence
		banned  bool
	}{
		{"it is far, and its proxy is not", nil, hosts.Offence{Peer: far}, true},
		{"it is near, and its proxy is not", nil, hosts.Offence{Peer: near}, false},
		{"its host is that of a configured peer", []addr.Addr{far}, hosts.Offence{Peer: addr.MustParse("tcp://8.8.8.8:5"), Inbound: true}, false},
	} {
		h := hosts.New(hosts.Settings{Peers: c.peers, BanTime: time.Hour}, zap.NewNop())
		if _, banned := h.Offend(c.offence); banned != c.banned {
			t.Errorf("%s: banned is %v", c.name, banned)
		}
	}
	h := hosts.New(hosts.Settings{Localnet: true, Dialable: []string{addr.TCP}}, zap.NewNop())
	h.Heard(far, []wire.Entry{{Addr: addr.MustParse("tcp://127.0.0.1:22"), LastSeen: uint64(time.Now().Unix())}})
	if h.Len(hosts.Grey) != 0 {
		t.Error("it has told of a door of this machine")
	}
}
