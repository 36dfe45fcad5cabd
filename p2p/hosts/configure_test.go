package hosts_test

import (
	"testing"
	"time"

	"dchat/p2p/hosts"
)

func TestConfigureReplacesWhatTheOperatorSays(t *testing.T) {
	h := book(t, func(s *hosts.Settings) {
		s.Peers, s.Seeds = addrs([]string{apart(1).String()}), addrs([]string{apart(2).String()})
		s.Blacklist = blacklist(t, []blacklistRow{{Host: "11.4.2.2", Schemes: []string{"tcp"}}})
	})
	tell(h, stranger(1), apart(1), apart(2), apart(3), apart(4))
	h.Answered(apart(5))
	gold(t, h, apart(6))
	must(t, h.Claim(apart(4), hosts.Connecting))
	ban(t, h, apart(7))
	h.Offend(inbound("tcp://11.9.2.2:40000"))
	ban(t, h, apart(9))

	h.Configure(
		addrs([]string{apart(4).String(), apart(7).String()}),
		addrs([]string{apart(5).String(), apart(8).String()}),
		blacklist(t, []blacklistRow{{Host: "11.7.2.2", Schemes: []string{"tcp"}}}))
	for i, want := range map[int]string{3: "refused", 4: "refused", 5: "refused", 6: "refused", 7: "refused", 8: "refused", 9: "black"} {
		if got := colour(h, apart(i)); got != want {
			t.Errorf("%s is %s, want %s", apart(i), got, want)
		}
	}
	if got := h.StateOf(apart(4)); got != hosts.Connecting {
		t.Errorf("what is in use is %v", got)
	}
	if !h.Refused(apart(6)) || !h.Blacklisted(apart(6)) || h.Refused(apart(3)) || len(h.Bans()) != 1 {
		t.Errorf("banned are %v", h.Bans())
	}
	tell(h, stranger(2), apart(1), apart(2), apart(3), apart(4), apart(5), apart(6))
	for i, want := range map[int]string{1: "grey", 2: "grey", 3: "grey", 4: "refused", 5: "refused", 6: "refused"} {
		if got := colour(h, apart(i)); got != want {
			t.Errorf("told again, %s is %s, want %s", apart(i), got, want)
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
