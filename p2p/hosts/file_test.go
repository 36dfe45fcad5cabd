package hosts_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
)

func TestBansAreNotSaved(t *testing.T) {
	path := hostlist(t)
	h := book(t, withFile(path))
	must(t, h.Load(t.Context()))
	gold(t, h, apart(1))
	gold(t, h, target)
	ban(t, h, target)
	must(t, h.Save(t.Context()))
	if got := readFile(t, path); strings.Contains(got, "8.8.8.8") || !strings.Contains(got, apart(1).String()) {
		t.Errorf("saved %q", got)
	}
}

func TestBlackLinesOfAFileAreBansFromNow(t *testing.T) {
	path := hostlist(t)
	clock := newWatch()
	writeFile(t, path, fmt.Sprintf("black\ttcp://8.8.8.8:26/\t%d\nblack\ttcp://8.8.8.8:27/\t%d\nblack\ttcp://7.7.7.7:7/\t5\nblack\ttcp://10.0.0.1:1/\t5\nblack\ttcp://9.9.9.9/\t5\n", now-5, now-5))
	h := book(t, func(s *hosts.Settings) {
		s.File, s.BanTime, s.Peers = path, time.Hour, addrs([]string{"tcp://7.7.7.7:7"})
	}, hosts.WithClock(clock.Now))
	must(t, h.Load(t.Context()))
	for peer, want := range map[string]bool{
		"tcp://8.8.8.8:26": true, "tcp+tls://8.8.8.8:27": true, "tcp://8.8.8.8:28": false, "tcp://7.7.7.7:7": false, "tcp://10.0.0.1:1": false, "tcp://9.9.9.9:1": false,
	} {
		if got := refused(h, peer); got != want {
			t.Errorf("%s: %v, want %v", peer, got, want)
		}
	}
	if bans := h.Bans(); len(bans) != 2 || bans[0].Since.Unix() != now-5 || bans[0].Until != clock.at.Add(time.Hour) || bans[0].Host != "tcp://8.8.8.8:26/" {
		t.Errorf("%+v", bans)
	}
	clock.pass(time.Hour)
	if refused(h, "tcp://8.8.8.8:26") {
		t.Error("not over after an hour")
	}
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

// A file in which any one byte is damaged, or that ends anywhere, loses one
// line at most, two when it was the end of a line.
func TestD4DamagedFiles(t *testing.T) {
	var good strings.Builder
	for i, c := range []hosts.Colour{hosts.Grey, hosts.White, hosts.Gold, hosts.Grey} {
		fmt.Fprintf(&good, "%v\ttcp://%d.8.8.8:26/\t%d\n", c, 11+i, now)
	}
	load := func(content string) int {
		path := hostlist(t)
		writeFile(t, path, content)
		h := hosts.New(hosts.Settings{Dialable: []string{"tcp"}, File: path}, nopLog, hosts.WithClock((&clock{now}).Now))
		must(t, h.Load(t.Context()))
		defer func() { must(t, h.Close()) }()
		return h.Len(hosts.Grey) + h.Len(hosts.Gold) + h.Len(hosts.Dark) + h.Len(hosts.Black)
	}
	for i := range good.Len() {
		for _, damage := range []byte{0, 0xff, '\t', '\n', good.String()[i] ^ 1, good.String()[i] ^ 0x80} {
			content := []byte(good.String())
			content[i] = damage
			if n := load(string(content)); n < 2 {
				t.Errorf("byte %d is %q: %d of 4 addresses are left", i, damage, n)
			}
		}
		if n, whole := load(good.String()[:i]), strings.Count(good.String()[:i], "\n"); n < whole || n > whole+1 {
			t.Errorf("cut off at %d: %d addresses, %d whole lines", i, n, whole)
		}
	}
	if n := load(strings.ReplaceAll(good.String(), "\n", "\r\n")); n != 4 {
		t.Errorf("with other line ends: %d of 4", n)
	}
	if n := load(strings.Repeat(good.String(), 100)); n != 4 {
		t.Errorf("repeated: %d of 4", n)
	}
	if n := load(strings.Repeat("x", 1<<20) + "\n" + good.String() + strings.Repeat("\x00", 1<<20)); n != 4 {
		t.Errorf("between very long lines: %d of 4", n)
	}
	if n := load("# a comment\n\n" + good.String() + "\n\r\n# another"); n != 4 {
		t.Errorf("between comments: %d of 4", n)
	}
}

func TestD5WhatAPeerCouldNotTellIsNotLoadedEither(t *testing.T) {
	path := hostlist(t)
	bad := []string{
		"gold\ttcp://10.0.0.1:1/\t5", "white\ttcp://127.0.0.1:1/\t5", "grey\ttcp://[fe80::1]:1/\t5", "grey\tquic://127.0.0.1:1\t5",
		"gold\ttcp://9.9.9.9:9/\t5",                              // our own
		"gold\ttcp://7.7.7.7:7/\t5", "gold\ttcp://6.6.6.6:6/\t5", // configured
		"gold\ttcp://5.5.5.5:5/\t5", // blacklisted
		"grey\ttcp://4.4.4.4:4/\t5", // banned by a line that comes later
		"grey\ttcp://3.3.3.3:0/\t5", // no port
		"grey\ttcp://u:p@3.3.3.3:1/\t5", "grey\ttcp://3.3.3.3:1/x\t5", "grey\ttcp://3.3.3.3:1/?q\t5",
		"grey\ttcp://3.3.3\t.3:1/\t5", "grey\t\ttcp://3.3.3.3:1/\t5",
		"black\ttcp://4.4.4.4:4/\t5",
	}
	writeFile(t, path, strings.Join(bad, "\n")+"\ngold\ttcp://8.8.8.8:26/\t99999999999999\n")
	h := book(t, func(s *hosts.Settings) {
		s.File = path
		s.Dialable = append(s.Dialable, "quic")
		s.External, s.Peers, s.Seeds = addrs([]string{"tcp://9.9.9.9:9"}), addrs([]string{"tcp://7.7.7.7:7"}), addrs([]string{"tcp://6.6.6.6:6"})
		s.Blacklist = blacklist(t, []blacklistRow{{Host: "5.5.5.5", Schemes: []string{"tcp"}}})
	})
	must(t, h.Load(t.Context()))
	if got, want := contents(h, hosts.Gold), fmt.Sprint(map[string]string{target.String(): fmt.Sprint(now - 5*24*3600)}); fmt.Sprint(got) != want {
		t.Errorf("gold is %v, want %v", got, want)
	}
	for _, c := range []hosts.Colour{hosts.Grey, hosts.White, hosts.Dark} {
		if h.Len(c) != 0 {
			t.Errorf("%v is %v", c, contents(h, c))
		}
	}
	if got := colour(h, ad("tcp://4.4.4.4:4")); got != "black" {
		t.Errorf("the banned one is %s", got)
	}
}

func TestD6WhatCannotBeReadIsBackedUp(t *testing.T) {
	path := hostlist(t)
	later := "purple\ttcp://8.8.8.8:26/\t5\t{}\ngold\ttcp://8.8.4.4:26/\t5\tmore\n"
	for _, content := range []string{"old\n", later} { // one backup is replaced by the next
		writeFile(t, path, content)
		core, logs := observer.New(zap.WarnLevel)
		h := hosts.New(hosts.Settings{Dialable: []string{"tcp"}, File: path}, zap.New(core), hosts.WithClock((&clock{now}).Now))
		must(t, h.Load(t.Context()))
		if n := logs.FilterMessage("Lines of the host list skipped").FilterField(zap.Int("lines", 1)).Len(); n != 1 || logs.Len() != 1 {
			t.Errorf("%d warnings: %v", logs.Len(), logs.All())
		}
		must(t, h.Save(t.Context()))
		must(t, h.Close())
		if got := readFile(t, path+".bak"); got != content {
			t.Errorf("the backup is %q, want %q", got, content)
		}
	}
	if got := readFile(t, path); got != "gold\ttcp://8.8.4.4:26/\t5\n" {
		t.Errorf("saved %q", got)
	}
}

func TestWithNothingToSaveTheOldFileStays(t *testing.T) {
	path := hostlist(t)
	writeFile(t, path, "gold\ttcp://8.8.8.8:26/\t1\n")
	h := book(t, withFile(path))
	must(t, h.Load(t.Context()))
	h.Ours(target)
	must(t, h.Save(t.Context()))
	if got := readFile(t, path); got != "gold\ttcp://8.8.8.8:26/\t1\n" {
		t.Errorf("it holds %q", got)
	}
}

func TestStartingAgainDoublesNothing(t *testing.T) {
	path := hostlist(t)
	h := book(t, withFile(path))
	for _, a := range lies(0, 100) {
		gold(t, h, a)
	}
	tell(h, stranger(1), lies(100, 50)...)
	var first string
	for i := range 5 {
		must(t, h.Save(t.Context()))
		must(t, h.Load(t.Context()))
		if i == 0 {
			first = readFile(t, path)
		}
	}
	if got := readFile(t, path); got != first || strings.Count(got, "\n") != 150 {
		t.Errorf("%d lines after some starts", strings.Count(got, "\n"))
	}
}

func TestAnAddressThatMovesWhileItIsSavedIsSavedOnce(t *testing.T) {
	path := hostlist(t)
	h := book(t, withFile(path))
	for i := range 2000 { // so that there is time for it
		h.Answered(apart(i))
	}
	var moving sync.WaitGroup
	defer moving.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	gold(t, h, target)
	moving.Go(func() {
		for ctx.Err() == nil {
			h.Disconnected(target, time.Minute)
			if err := h.Connected(target); err != nil {
				t.Error(err)
			}
		}
	})
	for range 20 {
		must(t, h.Save(t.Context()))
		if n := strings.Count(readFile(t, path), target.String()); n != 1 {
			t.Fatalf("it is in the file %d times", n)
		}
	}
}

func TestANodeThatRestartsKeepsTheNewestWhiteOnes(t *testing.T) {
	path := hostlist(t)
	var b strings.Builder
	all := make([]addr.Addr, 3000)
	for i := range all {
		all[i] = apart(i)
		fmt.Fprintf(&b, "white\t%s\t%d\n", all[i], now-3000+i)
	}
	writeFile(t, path, b.String())
	h := book(t, withFile(path))
	must(t, h.Load(t.Context()))
	if n := kept(h, all[1000:]); n != 2000 {
		t.Errorf("%d of the newest 2,000 are kept", n)
	}
}

// Nobody knows who told what the file says, so one network gets no more of the
// list than one teller.
func TestAFileFillsTheGreyListNoMoreThanItsTellers(t *testing.T) {
	path := hostlist(t)
	var b strings.Builder
	for i := range 250 {
		fmt.Fprintf(&b, "grey\ttcp://77.7.%d.1:1\t%d\ngrey\ttcp://80.%d.1.1:1\t%d\n", i%250, now, i%250, now)
	}
	writeFile(t, path, b.String())
	h := book(t, withFile(path))
	must(t, h.Load(t.Context()))
	n := 0
	for _, e := range h.List(hosts.Grey) {
		if strings.HasPrefix(e.Addr.Host(), "77.7.") {
			n++
		}
	}
	if n < 1 || n > 62 {
		t.Errorf("%d addresses of one /16, want 1 to 62", n)
	}
}

func TestALineThatIsTooLongIsBackedUp(t *testing.T) {
	path := hostlist(t)
	content := strings.Repeat("x", 10_000) + "\ngold\ttcp://8.8.8.8:26/\t5\n"
	writeFile(t, path, content)
	h := book(t, withFile(path))
	must(t, h.Load(t.Context()))
	if got := readFile(t, path+".bak"); got != content {
		t.Errorf("the backup has %d bytes", len(got))
	}
}

func TestTheOnlyAddressThatIsBannedDoesNotComeBackFromTheFile(t *testing.T) {
	file := hostlist(t)
	only := ad("tcp://50.1.1.1:9")
	h := book(t, withFile(file))
	must(t, h.Load(t.Context()))
	tell(h, stranger(1), only)
	must(t, h.Save(t.Context()))
	if _, banned := h.Offend(hosts.Offence{Peer: only, Reason: "test"}); !banned {
		t.Fatal("not banned")
	}
	must(t, h.Save(t.Context()))
	must(t, h.Close())
	again := book(t, withFile(file))
	must(t, again.Load(t.Context()))
	if got := colour(again, only); got != "refused" {
		t.Errorf("after a restart it is %s, want it forgotten", got)
	}
}
