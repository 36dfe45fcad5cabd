package hosts_test

import (
	"math"
	"testing"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
	"dchat/p2p/wire"
)

// full is a book whose lists are all full, with a blacklist of 1,000.
func full(b *testing.B) *hosts.Hosts {
	b.Helper()
	var rows []blacklistRow
	for _, a := range lies(40_000, 1000) {
		rows = append(rows, blacklistRow{Host: a.Host(), Schemes: []string{"tcp"}})
	}
	list := blacklist(b, rows)
	h := hosts.New(hosts.Settings{Dialable: []string{"tcp"}, KnownPeerPercent: 70, Blacklist: list}, nopLog, hosts.WithClock((&clock{now}).Now))
	all := lies(0, 20_000)
	for i, a := range all {
		switch {
		case i < 5000:
			h.Answered(a)
		case i < 10_000:
			gold(b, h, a)
		default:
			ban(b, h, a)
		}
	}
	for i := range 2000 {
		tell(h, stranger(i), ad("tcp://%d.%d.7.1:26", 60+i/250, 1+i%250))
		tell(h, stranger(i), ad("quic://%d.%d.8.1:26", 60+i/250, 1+i%250))
	}
	for c, n := range map[hosts.Colour]int{hosts.Grey: 2000, hosts.White: 5000, hosts.Gold: 5000, hosts.Dark: 1000, hosts.Black: 10_000} {
		if h.Len(c) != n {
			b.Fatalf("%v holds %d", c, h.Len(c))
		}
	}
	return h
}

// One legal message of the most addresses there is room for, against full
// lists.
func BenchmarkHeard(b *testing.B) {
	for name, at := range map[string]func(i int) addr.Addr{
		"new":   func(i int) addr.Addr { return lies(30_000+i, 1)[0] },
		"known": func(i int) addr.Addr { return lies(i, 1)[0] },
		"lan":   func(i int) addr.Addr { return ad("tcp://10.0.%d.%d:1", i/250, i%250) },
	} {
		var message []wire.Entry
		for i := range 2400 {
			message = append(message, wire.Entry{Addr: at(i), LastSeen: math.MaxUint64})
		}
		b.Run(name, func(b *testing.B) {
			h := full(b)
			peer := 0
			b.ReportAllocs()
			for b.Loop() {
				h.Heard(stranger(peer%40_000), message)
				peer++
			}
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	h := full(b)
	listed, refused, unknown := lies(12_000, 1)[0], lies(40_500, 1)[0], ad("tcp://node.example.com:1")
	b.Run("Refused", func(b *testing.B) {
		banned := lies(12_000, 1)[0]
		b.ReportAllocs()
		for b.Loop() {
			if !h.Refused(banned) || h.Refused(unknown) {
				b.Fatal("wrong")
			}
		}
	})
	b.Run("Blacklisted", func(b *testing.B) {
		for b.Loop() {
			if !h.Blacklisted(refused) || h.Blacklisted(unknown) {
				b.Fatal("wrong")
			}
		}
	})
	b.Run("ColourOf", func(b *testing.B) {
		for b.Loop() {
			if _, ok := h.ColourOf(listed); !ok {
				b.Fatal("wrong")
			}
		}
	})
	b.Run("Claim", func(b *testing.B) {
		for b.Loop() {
			must(b, h.Claim(unknown, hosts.Connected))
			h.Release(unknown)
		}
	})
}

func BenchmarkSelect(b *testing.B) {
	h := full(b)
	for b.Loop() {
		a, _, ok := h.Select(8)
		if !ok {
			b.Fatal("nothing")
		}
		h.Release(a)
	}
}

func BenchmarkSelectRefine(b *testing.B) {
	h := full(b)
	for b.Loop() {
		a, _, ok := h.SelectRefine()
		if !ok {
			b.Fatal("nothing")
		}
		h.Failed(a)
		h.Release(a)
		h.Resume()
	}
}

func BenchmarkOffend(b *testing.B) {
	h := full(b)
	i := 0
	for b.Loop() {
		h.Offend(hosts.Offence{Peer: lies(20_000+i%10_000, 1)[0], Inbound: true})
		i++
	}
}

func BenchmarkKnown(b *testing.B) {
	h := full(b)
	schemes := []string{"tcp", "tcp+tls"}
	for b.Loop() {
		if len(h.Known(8, schemes)) != 16 {
			b.Fatal("wrong")
		}
	}
}

func BenchmarkSnapshot(b *testing.B) {
	h := full(b)
	for b.Loop() {
		for c := hosts.Grey; c <= hosts.Dark; c++ {
			h.List(c)
		}
	}
}
