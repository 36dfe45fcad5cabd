package hosts_test

import (
	"testing"
	"time"

	"dchat/p2p/addr"
)

// When the network of a slot's address has room again a slot may pick another.
func TestASlotThatABanEmptiesIsNews(t *testing.T) {
	h := book(t, nil)
	var held []addr.Addr
	for i := range 3 {
		tell(h, stranger(i), ad("tcp://8.8.%d.1:1", i))
	}
	for range 2 {
		a, _, _ := h.Select(8)
		must(t, h.Connected(a))
		held = append(held, a)
	}
	if a, _, ok := h.Select(8); ok {
		t.Fatalf("a third one of a network of 16 bits: %s", a)
	}
	_, changed := h.News()
	ban(t, h, held[0])
	h.Disconnected(held[0], time.Minute)
	if !isClosed(changed) {
		t.Error("nobody is told")
	}
	if _, _, ok := h.Select(8); !ok {
		t.Error("the third one is not selected")
	}
	must(t, h.Verify())
}

// A black line of a file that is read again takes an address off its list.
func TestABanFromTheFileTakesAddressesOffTheLists(t *testing.T) {
	path := hostlist(t)
	writeFile(t, path, "black\ttcp://8.8.8.8:26/\t5\n")
	h := book(t, withFile(path))
	tell(h, stranger(1), target)
	must(t, h.Load(t.Context()))
	if c := colour(h, target); c != "black" {
		t.Errorf("it is %s", c)
	}
	must(t, h.Verify())
}
