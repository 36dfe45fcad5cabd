package hosts_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
	"dchat/p2p/wire"
)

func TestMain(m *testing.M) {
	if file := os.Getenv(childFile); file != "" {
		child(file, os.Getenv(childRole))
		return
	}
	goleak.VerifyTestMain(m)
}

const now = 1_700_000_000 // the time of most tests, in Unix seconds

// clock is a wall clock that stands still until it is set.
type clock struct{ unix int64 }

func (c *clock) Now() time.Time { return time.Unix(c.unix, 0) }

// watch is a clock that is moved on by hand.
type watch struct{ at time.Time }

func newWatch() *watch { return &watch{time.Unix(now, 0)} }

func (w *watch) Now() time.Time { return w.at }

func (w *watch) pass(d time.Duration) { w.at = w.at.Add(d) }

// book makes an address book that dials tcp and tcp+tls, at a fixed time and
// with the same chance in every run.
func book(t testing.TB, change func(*hosts.Settings), options ...hosts.Option) *hosts.Hosts {
	t.Helper()
	s := hosts.Settings{Dialable: []string{"tcp", "tcp+tls"}, KnownPeerPercent: 70}
	if change != nil {
		change(&s)
	}
	fixed := []hosts.Option{
		hosts.WithClock((&clock{now}).Now),
		hosts.WithRand(rand.NewPCG(1, 2)),
	}
	h := hosts.New(s, zaptest.NewLogger(t), append(fixed, options...)...)
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func localnet(s *hosts.Settings) { s.Localnet = true }

func ad(format string, args ...any) addr.Addr { return addr.MustParse(fmt.Sprintf(format, args...)) }

// stranger is a peer of another part of the network for every i below 50,000.
func stranger(i int) addr.Addr { return ad("tcp://%d.%d.1.1:9", 11+i/250, 1+i%250) }

// tell makes a peer tell addresses, seen now.
func tell(h *hosts.Hosts, from addr.Addr, told ...addr.Addr) {
	tellSeen(h, from, now, told...)
}

func tellSeen(h *hosts.Hosts, from addr.Addr, seen uint64, told ...addr.Addr) {
	var entries []wire.Entry
	for _, a := range told {
		entries = append(entries, wire.Entry{Addr: a, LastSeen: seen})
	}
	h.Heard(from, entries)
}

// gold makes an address one that has been connected to.
func gold(t testing.TB, h *hosts.Hosts, a addr.Addr) {
	t.Helper()
	must(t, h.Connected(a))
	h.Release(a)
}

// ban bans an address that was dialled.
func ban(t testing.TB, h *hosts.Hosts, a addr.Addr) hosts.Ban {
	t.Helper()
	b, ok := h.Offend(hosts.Offence{Peer: a, Reason: "it lied"})
	if !ok {
		t.Fatalf("%s was not banned", a)
	}
	return b
}

// apart are addresses each in a network of its own, for i below 20,000.
func apart(i int) addr.Addr { return ad("tcp://%d.%d.2.2:26", 11+i/250, 1+i%250) }

// colour is the list an address is on, in words.
func colour(h *hosts.Hosts, a addr.Addr) string {
	if c, ok := h.ColourOf(a); ok {
		return c.String()
	}
	return "refused"
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func hostlist(t testing.TB) string { return filepath.Join(t.TempDir(), "node", "hostlist.tsv") }

// vectors is what was recorded of the reference.
type vectors struct {
	Filter []struct {
		Name   string
		Config struct {
			Localnet       bool
			ActiveProfiles []string `json:"active_profiles"`
			MixedProfiles  []string `json:"mixed_profiles"`
			ExternalAddrs  []string `json:"external_addrs"`
			Seeds, Peers   []string
			Blacklist      []blacklistRow
		}
		Result map[string][]string
	}
	FilterKnown struct {
		Addr  [][2]string
		After map[string][][2]string
	} `json:"filter_known"`
	GetaddrAnswers struct {
		Lists map[string][][2]string
		Cases []struct {
			Name       string
			Max        int
			Transports []string
			Answer     [][2]string
		}
	} `json:"getaddr_answers"`
	Blacklist struct {
		Config    []blacklistRow
		BlackList [][2]string `json:"black_list"`
		Blocked   []blockedRow
	}
	BlacklistInbound []struct {
		Entry    blacklistRow
		Accepted bool
	} `json:"blacklist_inbound"`
	HostlistFile struct {
		File   []string
		Loaded map[string][][2]string
		Saved  string
		Left   map[string]int `json:"entries_left_after_loading_12000"`
	} `json:"hostlist_file"`
	Limits    map[string]any `json:"host_list_limits"`
	Shareable []string       `json:"shareable_schemes"`
}

type blacklistRow hosts.BlacklistEntry

func (r *blacklistRow) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[]any{&r.Host, &r.Schemes, &r.Ports})
}

type blockedRow struct {
	addr    string
	blocked bool
}

func (r *blockedRow) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[]any{&r.addr, &r.blocked})
}

func blacklist(t testing.TB, rows []blacklistRow) hosts.Blacklist {
	t.Helper()
	var entries []hosts.BlacklistEntry
	for _, r := range rows {
		entries = append(entries, hosts.BlacklistEntry(r))
	}
	b, err := hosts.NewBlacklist(entries)
	must(t, err)
	return b
}

func addrs(texts []string) (all []addr.Addr) {
	for _, s := range texts {
		all = append(all, addr.MustParse(s))
	}
	return all
}

func recorded(t testing.TB) (v vectors) {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	must(t, err)
	must(t, json.Unmarshal(text, &v))
	return v
}

var nopLog = zap.NewNop()
