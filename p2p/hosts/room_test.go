package hosts_test

import (
	"testing"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
)

func TestA9Ports(t *testing.T) {
	h := book(t, nil)
	for _, text := range []string{"tcp://8.8.8.8", "tcp://8.8.8.8:", "tcp://8.8.8.8:0", "tcp://8.8.8.8:00"} {
		tell(h, stranger(1), addr.MustParse(text))
	}
	if n := h.Len(hosts.Grey); n != 0 {
		t.Errorf("without a port to connect to: %v", contents(h, hosts.Grey))
	}
	for i := range 1000 {
		tell(h, stranger(i), ad("tcp://8.8.4.4:%d", 1+i), ad("tcp://[2a00::1]:%d", 1+i), ad("tcp://node.example.com:%d", 1+i))
	}
	if n := h.Len(hosts.Grey); n != 3*4 {
		t.Errorf("%d ports of three hosts are kept, want 4 of each", n)
	}
}

func TestASubnetHasSixteenEntries(t *testing.T) {
	h := book(t, nil)
	for i := range 1000 {
		tell(h, stranger(i), ad("tcp://8.8.4.%d:%d", 1+i%250, 1+i/250), ad("tcp://[2a00:1:2:%x::1]:1", i))
	}
	if n := h.Len(hosts.Grey); n != 2*16 {
		t.Errorf("%d addresses of two subnets are kept, want 16 of each", n)
	}
}

// Whoever fills the place of a machine with ports that are not there does not
// keep the right one out.
func TestWhoFillsAPlaceDoesNotKeepItFromOthers(t *testing.T) {
	h := book(t, nil)
	for i := range 4 {
		tell(h, stranger(1), ad("tcp://8.8.4.4:%d", 1+i))
	}
	right := ad("tcp://8.8.4.4:26")
	tell(h, stranger(1), right)
	if got := colour(h, right); got != "refused" {
		t.Fatalf("the fifth port of one teller is %s", got)
	}
	tell(h, stranger(5000), right)
	if got := colour(h, right); got != "grey" {
		t.Errorf("a port told by someone else is %s", got)
	}
	if n := h.Len(hosts.Grey); n != 4 {
		t.Errorf("%d ports of one IP are kept", n)
	}
}

func TestA14AnsweringOnManyPortsMakesFewWhite(t *testing.T) {
	for name, row := range map[string]struct {
		at   func(i int) addr.Addr
		most int
	}{
		"one IP":     {func(i int) addr.Addr { return ad("tcp://8.8.4.4:%d", 1+i) }, 4},
		"one subnet": {func(i int) addr.Addr { return ad("tcp://8.8.4.%d:%d", 1+i%250, 1+i/250) }, 16},
		"one /48":    {func(i int) addr.Addr { return ad("tcp://[2a00:1:2:%x::1]:1", i) }, 16},
	} {
		h := book(t, nil)
		for i := range 5000 {
			tell(h, stranger(i), row.at(i))
			if a, _, ok := h.SelectRefine(); ok {
				h.Answered(a)
			}
			h.Answered(row.at(i)) // also when it does not come by hearsay
		}
		if n := h.Len(hosts.White); n != row.most {
			t.Errorf("%s: %d are white, want %d", name, n, row.most)
		}
	}
}

func TestV12BansDoNotPushOutTheOperatorsList(t *testing.T) {
	h := book(t, func(s *hosts.Settings) {
		s.Blacklist = blacklist(t, []blacklistRow{{Host: "6.6.6.6", Schemes: []string{"tcp"}}})
	})
	for i := range 10_500 {
		ban(t, h, lies(i, 1)[0])
	}
	if n := h.Len(hosts.Black); n != 10_000 {
		t.Errorf("%d bans are kept, want 10,000", n)
	}
	if !h.Blacklisted(ad("tcp://6.6.6.6:26")) {
		t.Error("the operator's entry is gone")
	}
	tell(h, stranger(1), ad("tcp://6.6.6.6:26"), lies(10_499, 1)[0])
	if n := h.Len(hosts.Grey); n != 0 {
		t.Errorf("refused addresses are on the list: %v", contents(h, hosts.Grey))
	}
}

func TestDarkAddressesThatAreTooOldMakeRoom(t *testing.T) {
	wall := &clock{now}
	h := book(t, nil, hosts.WithClock(wall.Now))
	for i := range 1100 {
		tellSeen(h, stranger(7*i), now, ad("quic://%d.%d.1.1:1", 11+i/250, 1+i%250))
	}
	if n := h.Len(hosts.Dark); n != 1000 {
		t.Fatalf("%d are dark, want 1,000", n)
	}
	wall.unix += 24*3600 + 1
	fresh := ad("quic://150.1.1.1:1")
	tellSeen(h, stranger(1), uint64(wall.unix), fresh)
	if got := colour(h, fresh); got != "dark" || h.Len(hosts.Dark) != 1 {
		t.Errorf("the next one is %s among %d", got, h.Len(hosts.Dark))
	}
}

// What is in use is not pushed out, or the connection would be to an unknown
// address.
func TestHearsayPushesOutNothingInUse(t *testing.T) {
	h := book(t, nil)
	for i := range 4 {
		tell(h, stranger(1), ad("tcp://8.8.4.4:%d", 1+i))
		must(t, h.Claim(ad("tcp://8.8.4.4:%d", 1+i), hosts.Connecting))
	}
	tell(h, stranger(5000), ad("tcp://8.8.4.4:26"))
	if got := colour(h, ad("tcp://8.8.4.4:26")); got != "refused" {
		t.Errorf("a fifth port is %s", got)
	}

	h = book(t, nil)
	for _, a := range honest(t, h) {
		must(t, h.Claim(a, hosts.Refining))
	}
	tell(h, stranger(1), lies(0, 10)...)
	if n := kept(h, lies(0, 10)); n != 0 {
		t.Errorf("%d came on the full list", n)
	}
}

func TestNothingIsKeptOfWhatIsGone(t *testing.T) {
	h := book(t, nil)
	all := honest(t, h)
	for i, a := range all {
		switch i % 4 {
		case 0:
			h.Failed(a)
		case 1:
			h.Answered(a)
		case 2:
			ban(t, h, a)
		}
	}
	for _, a := range all {
		h.Drop(a)
	}
	if n := h.Traces(); n != 0 {
		t.Errorf("%d traces are left", n)
	}
}
