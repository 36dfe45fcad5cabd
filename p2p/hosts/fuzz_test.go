package hosts_test

import (
	"strings"
	"testing"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
)

// Whatever a host list file holds: loading it ends without an error, what is
// admitted is fit for a list, and saving and loading that again changes nothing.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(strings.Join(recorded(f).HostlistFile.File, "\n")))
	f.Add([]byte("grey\ttcp://8.8.8.8:26/\t1700000000\nwhite\ttcp+tls://[2a00::1]:1\t1\r\nblack\ttcp://9.9.9.9:1/\t2"))
	f.Add([]byte("gold\ti2p://stats.i2p:1\t18446744073709551615\n\x00\xff\t\n# \n\tgrey\n"))
	f.Add([]byte("dark\tquic://EXAMPLE.com:1\t1699999999\ndark\tquic://example.com.:1/\t1699999999\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := t.TempDir() + "/hostlist"
		writeFile(t, path, string(content))
		h := book(t, withFile(path))
		must(t, h.Load(t.Context()))
		keys := map[string]bool{}
		for c := hosts.Grey; c <= hosts.Black; c++ {
			for _, e := range h.List(c) {
				port, _ := e.Addr.Port()
				spelled := e.Addr.Scheme() + strings.ToLower(strings.TrimRight(e.Addr.Host(), "."))
				if port == 0 || e.LastSeen > now {
					t.Errorf("%v holds %s, seen at %d", c, e.Addr, e.LastSeen)
				}
				if c != hosts.Black && (!e.Addr.IsGlobal() || e.Addr.Public() != e.Addr || len(e.Addr.Path()) > 1) {
					t.Errorf("%v holds %s", c, e.Addr)
				}
				if key := e.Addr.String(); c != hosts.Black && keys[spelled+key[strings.LastIndex(key, ":"):]] {
					t.Errorf("%s is there twice", e.Addr)
				} else {
					keys[spelled+key[strings.LastIndex(key, ":"):]] = true
				}
			}
		}
		must(t, h.Save(t.Context()))
		must(t, h.Close())
		again := book(t, withFile(path))
		must(t, again.Load(t.Context()))
		for _, c := range []hosts.Colour{hosts.Grey, hosts.Gold, hosts.Dark} {
			if h.Len(c) != again.Len(c) {
				t.Errorf("%v: %v became %v", c, contents(h, c), contents(again, c))
			}
		}
	})
}

// Whatever is told: an address that is kept is found again under every spelling
// that the parser takes for the same, and one that is not leaves nothing behind.
func FuzzHeard(f *testing.F) {
	for _, row := range recorded(f).Filter {
		for _, texts := range row.Result {
			for _, text := range texts {
				f.Add(text, uint64(now), row.Config.Localnet)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string, seen uint64, local bool) {
		a, err := addr.Parse(text)
		if err != nil {
			return
		}
		h := book(t, func(s *hosts.Settings) { s.Localnet = local })
		tellSeen(h, ad("tcp://127.0.0.1:1"), seen, a, a)
		n := h.Len(hosts.Grey) + h.Len(hosts.Dark)
		if _, ok := h.ColourOf(a); ok != (n == 1) || n > 1 {
			t.Fatalf("%s: on a list is %v, and there are %d", a, ok, n)
		}
		if n == 1 && !local && !a.IsGlobal() {
			t.Errorf("%s is kept", a)
		}
		h.Drop(a)
		if n := h.Len(hosts.Grey) + h.Len(hosts.Dark); n != 0 {
			t.Errorf("%s: %d are left", a, n)
		}
	})
}
