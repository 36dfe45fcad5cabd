package hosts_test

import (
	"testing"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
)

// A12: the seed that answers first is one that lies.
func TestA12TheSeedThatAnswersFirstDoesNotFillEverySlot(t *testing.T) {
	seeds := []addr.Addr{ad("tcp://11.1.1.1:9"), ad("tcp://12.1.1.1:9"), ad("tcp://13.1.1.1:9")}
	at := &clock{now}
	h := book(t, func(s *hosts.Settings) { s.Seeds = seeds }, hosts.WithClock(at.Now))
	const slots = 8
	fill := func() (from [3]int) {
		for {
			a, _, ok := h.Select(slots)
			if !ok {
				return from
			}
			ip, _ := a.IP()
			from[ip.As4()[0]/50-1]++
			must(t, h.Connected(a))
		}
	}
	for i := range 2 { // two of three lie
		for n := range 50 {
			tell(h, seeds[i], ad("tcp://%d.%d.1.1:9", 50*(i+1), n+1))
		}
	}
	if got := fill(); got != [3]int{2, 2, 0} {
		t.Fatalf("the slots hold %v of each seed's addresses, want two of each that answered", got)
	}
	if _, retry, ok := h.Select(slots); ok || retry <= 0 || retry > 10e9 {
		t.Errorf("Select: %v, %v; want to try again within 10 s", retry, ok)
	}
	for n := range 8 {
		tell(h, seeds[2], ad("tcp://150.%d.1.1:9", n+1))
	}
	if got := fill(); got != [3]int{0, 0, 2} {
		t.Errorf("the slots hold %v more, want two of the third seed's", got)
	}
	at.unix += 10
	if got := fill(); got[0]+got[1]+got[2] < slots-6 {
		t.Errorf("after 10 s %v more are held, want all slots filled", got)
	}
}

func TestOneSeedMayFillEverySlot(t *testing.T) {
	seed := ad("tcp://11.1.1.1:9")
	h := book(t, func(s *hosts.Settings) { s.Seeds = []addr.Addr{seed} })
	for n := range 8 {
		tell(h, seed, ad("tcp://50.%d.1.1:9", n+1))
	}
	for i := range 8 {
		if _, _, ok := h.Select(8); !ok {
			t.Fatalf("slot %d finds no address", i)
		}
	}
}
