package hosts_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
	"dchat/p2p/session"
	"dchat/p2p/wire"
)

// better is where a recorded result is not ours: what ours is, and why.
type better map[string]struct{ ours, why string }

// otherFilter are the rows of the filter that come out differently, by the name of their
// configuration.
var otherFilter = map[string]better{
	"public network": {
		"tcp://example.com:0/":         {"refused", "nobody is at port 0"},
		"tcp://example.com:1/path":     {"refused", "an alias of the address without its path"},
		"tcp://example.com:2/?q=1":     {"refused", "an alias"},
		"tcp://user:pw@example.com:3/": {"refused", "an alias"},
		"tcp://example.com:4/#f":       {"refused", "an alias"},
		"tcp://224.0.0.1:1/":           {"refused", "multicast"},
		"tcp://239.1.1.1:1/":           {"refused", "multicast"},
		"tcp://[ff02::1]:1/":           {"refused", "multicast"},
		"tcp://[fec0::1]:1/":           {"refused", "site-local, not handed out as global"},
		"tcp://[::2]:1/":               {"refused", "not handed out as global"},
		"tcp://[::808:808]:1/":         {"refused", "not handed out as global"},
		"tcp://[100:0:0:1::1]:1/":      {"refused", "not handed out as global"},
		"tcp://localhost.:1/":          {"refused", "a name of this machine"},
		"tcp://a.localhost:1/":         {"refused", "a name of this machine"},
		"tcp://localhost6:1/":          {"refused", "a name of this machine"},
		"quic://127.0.0.1:1":           {"refused", "an IP is read as one in every scheme"},
		"quic://10.0.0.1:1":            {"refused", "an IP is read as one in every scheme"},
		"quic://LOCALHOST:1":           {"refused", "a name of this machine"},
		"tcp://9.9.9.9:9001/":          {"grey", "a neighbour behind our NAT is not us"},
		"tcp+tls://9.9.9.9:1/":         {"grey", "a neighbour"},
		"tcp://own.example:1/":         {"grey", "a neighbour"},
		"tor://" + onion + ":1/":       {"dark", "valid, with no embedded client needed to see it"},
		"tor+tls://" + onion + ":1/":   {"dark", "valid"},
	},
	"localnet": {
		"tcp://example.com:0/":         {"refused", "nobody is at port 0"},
		"tcp://example.com:1/path":     {"refused", "an alias"},
		"tcp://example.com:2/?q=1":     {"refused", "an alias"},
		"tcp://user:pw@example.com:3/": {"refused", "an alias"},
		"tcp://example.com:4/#f":       {"refused", "an alias"},
		"tcp://0.0.0.0:1/":             {"refused", "no address of a machine"},
		"tcp://[::]:1/":                {"refused", "no address of a machine"},
		"tcp://255.255.255.255:1/":     {"refused", "broadcast"},
		"tcp://224.0.0.1:1/":           {"refused", "multicast"},
		"tcp://239.1.1.1:1/":           {"refused", "multicast"},
		"tcp://[ff02::1]:1/":           {"refused", "multicast"},
		"tcp://[::ffff:808:808]:1/":    {"refused", "cannot be dialled, and an alias"},
		"tcp://8.8.4.4:9000/":          {"grey", "our port on another machine is not us"},
		"tcp://8.8.4.4:9100/":          {"grey", "our port on another machine is not us"},
		"tor://" + onion + ":1/":       {"dark", "valid"},
		"tor+tls://" + onion + ":1/":   {"dark", "valid"},
	},
}

const onion = "p53lf57qovyuvwsc6xnrppyply3vtqm7l6pcobkmyqsiofyeznfu5uqd.onion"

func TestFilterAsRecorded(t *testing.T) {
	for _, row := range recorded(t).Filter {
		t.Run(row.Name, func(t *testing.T) {
			b := blacklist(t, row.Config.Blacklist)
			filter := func(s *hosts.Settings) {
				s.Localnet = row.Config.Localnet
				routes := session.Routes{Active: row.Config.ActiveProfiles, Mixed: row.Config.MixedProfiles}
				s.Dialable = routes.Schemes(func(string) bool { return true })
				s.External, s.Seeds, s.Peers = addrs(row.Config.ExternalAddrs), addrs(row.Config.Seeds), addrs(row.Config.Peers)
				s.Blacklist = b
			}
			others := maps.Clone(otherFilter[row.Name])
			for _, theirs := range []string{"grey", "dark", "refused"} {
				for _, text := range row.Result[theirs] {
					want := theirs
					if o, ok := others[text]; ok {
						want = o.ours
						delete(others, text)
						if want == theirs {
							t.Errorf("%s: listed as different, and is not", text)
						}
					}
					a, err := addr.Parse(text)
					must(t, err)
					h := book(t, filter)
					tell(h, ad("tcp://127.0.0.1:40000"), a)
					if got := colour(h, a); got != want {
						t.Errorf("%s is %s, want %s", text, got, want)
					}
				}
			}
			for text := range others {
				t.Errorf("%s: listed as different, and was never recorded", text)
			}
		})
	}
}

func TestFilterOfKnownAddressesAsRecorded(t *testing.T) {
	v := recorded(t).FilterKnown
	wall := &clock{unix: 5}
	h := book(t, func(s *hosts.Settings) { s.Dialable = []string{"tcp"} }, hosts.WithClock(wall.Now))
	h.Answered(ad("tcp://white.example:1/"))
	gold(t, h, ad("tcp://gold.example:1/"))
	tellSeen(h, stranger(1), 5, ad("tcp://grey.example:1/"))
	const recent = now - 3600
	wall.unix = recent
	tellSeen(h, stranger(2), recent, ad("tcp+tls://dark.example:1/"))
	wall.unix = now

	times := map[string]uint64{"now": now, "now - 90000": now - 90000}
	for _, e := range v.Addr {
		seen, ok := times[e[1]]
		if !ok {
			var err error
			seen, err = strconv.ParseUint(e[1], 10, 64)
			must(t, err)
		}
		tellSeen(h, stranger(3), seen, addr.MustParse(e[0]))
	}

	others := better{
		"tcp://wasdark.example:1/":        {"", "100 is too long ago; and what can be dialled never is dark"},
		"tcp://future.example:1/":         {fmt.Sprint(now - 5*24*3600), "the future is not believed"},
		"tcp://twice.example:1/":          {"", "too long ago"},
		"tcp://zero.example:1/":           {"", "too long ago"},
		"tcp+tls://futuredark.example:1/": {"", "not believed, so five days old, so no longer passed on"},
	}
	for name, theirs := range v.After {
		want := map[string]string{}
		for _, e := range theirs {
			if o, ok := others[e[0]]; ok {
				e[1] = o.ours
				delete(others, e[0])
			}
			if e[1] != "" {
				want[e[0]] = strings.Replace(e[1], "recent", fmt.Sprint(recent), 1)
			}
		}
		if got := contents(h, colourNamed(t, name)); !maps.Equal(got, want) {
			t.Errorf("%s is\n%v, want\n%v", name, got, want)
		}
	}
	if len(others) != 0 {
		t.Errorf("listed as different, and never recorded: %v", others)
	}
}

func colourNamed(t *testing.T, name string) hosts.Colour {
	t.Helper()
	for c := hosts.Grey; c <= hosts.Black; c++ {
		if c.String() == name {
			return c
		}
	}
	t.Fatalf("no colour %q", name)
	return 0
}

// contents is what is on a list: address to time.
func contents(h *hosts.Hosts, c hosts.Colour) map[string]string {
	m := map[string]string{}
	for _, e := range h.List(c) {
		m[e.Addr.String()] = fmt.Sprint(e.LastSeen)
	}
	return m
}

// Answers are random where there is a choice: each recorded one must be among
// ours.
func TestAnswersAsRecorded(t *testing.T) {
	v := recorded(t).GetaddrAnswers
	for _, row := range v.Cases {
		t.Run(row.Name, func(t *testing.T) {
			var want []wire.Entry
			for _, e := range row.Answer {
				want = append(want, entry(t, e))
			}
			var got []wire.Entry
			for seed := range uint64(200) {
				wall := &clock{}
				h := book(t, func(s *hosts.Settings) { s.Dialable = []string{"tcp", "tcp+tls"} },
					hosts.WithClock(wall.Now), hosts.WithRand(rand.NewPCG(seed, 0)))
				for _, name := range slices.Sorted(maps.Keys(v.Lists)) {
					for _, e := range v.Lists[name] {
						wall.unix = int64(entry(t, e).LastSeen)
						switch a := entry(t, e).Addr; name {
						case "gold":
							gold(t, h, a)
						case "white":
							h.Answered(a)
						default:
							tellSeen(h, stranger(1), entry(t, e).LastSeen, a)
						}
					}
				}
				wall.unix = 50
				if got = h.Known(row.Max, row.Transports); slices.Equal(got, want) {
					return
				}
			}
			t.Errorf("got %v, never %v", got, want)
		})
	}
}

func entry(t *testing.T, e [2]string) wire.Entry {
	t.Helper()
	seen, err := strconv.ParseUint(e[1], 10, 64)
	must(t, err)
	return wire.Entry{Addr: addr.MustParse(e[0]), LastSeen: seen}
}

func TestBlacklistAsRecorded(t *testing.T) {
	v := recorded(t).Blacklist
	var entries []hosts.BlacklistEntry
	for _, r := range v.Config {
		entries = append(entries, hosts.BlacklistEntry(r))
	}
	b, err := hosts.NewBlacklist(entries)
	if faults := strings.Split(err.Error(), "\n"); len(faults) != 2 ||
		!strings.Contains(faults[0], `"2606:4700::2"`) || !strings.Contains(faults[1], `"not a host"`) {
		t.Errorf("faults: %v", err)
	}

	// What an entry with a port refuses is the endpoint, in whatever way it is written.
	others := better{
		"tcp://q.example:7/x":   {"true", "a path makes no other endpoint"},
		"tcp://q.example:7/?y":  {"true", "nor a query"},
		"tcp://u@q.example:7/":  {"true", "nor a user"},
		"quic://QUIC.example:7": {"true", "nor capitals"},
	}
	for _, row := range v.Blocked {
		want := row.blocked
		if o, ok := others[row.addr]; ok {
			want = o.ours == "true"
			delete(others, row.addr)
		}
		if got := b.Has(addr.MustParse(row.addr)); got != want {
			t.Errorf("%s: refused is %v, want %v", row.addr, got, want)
		}
	}
	if len(others) != 0 {
		t.Errorf("listed as different, and never recorded: %v", others)
	}
}

func TestBlacklistOfInboundAsRecorded(t *testing.T) {
	peer := addr.FromIP("tcp", netip.MustParseAddrPort("127.0.0.1:54321"))
	for _, row := range recorded(t).BlacklistInbound {
		h := book(t, func(s *hosts.Settings) { s.Blacklist = blacklist(t, []blacklistRow{row.Entry}) })
		if accepted := !h.Blacklisted(peer); accepted != row.Accepted {
			t.Errorf("%v: accepted is %v, want %v", row.Entry, accepted, row.Accepted)
		}
	}
}

func TestShareableSchemesAsRecorded(t *testing.T) {
	for _, s := range recorded(t).Shareable {
		if !hosts.Shareable(s) {
			t.Errorf("%s is not told", s)
		}
	}
	for _, s := range []string{"quic", "unix", "socks5", "http", ""} {
		if hosts.Shareable(s) {
			t.Errorf("%q is told", s)
		}
	}
}

func TestFileAsRecorded(t *testing.T) {
	v := recorded(t).HostlistFile
	const recent = now - 3600
	file := strings.ReplaceAll(strings.Join(v.File, "\n"), "{recent}", fmt.Sprint(recent))
	path := hostlist(t)
	writeFile(t, path, file)
	h := book(t, func(s *hosts.Settings) { s.File = path })
	must(t, h.Load(t.Context()))

	none := map[string]string{}
	want := map[string]map[string]string{}
	for name, entries := range v.Loaded {
		want[name] = maps.Clone(none)
		for _, e := range entries {
			want[name][e[0]] = strings.Replace(e[1], "recent", fmt.Sprint(recent), 1)
		}
	}
	want["white"] = none                            // read back as grey,
	want["grey"]["tcp://white.example:1/"] = "21"   // on one list only, the newest of its colour
	delete(want["grey"], "foo:bar")                 // no host
	delete(want["grey"], "tcp://noport.example/")   // no port
	delete(want["gold"], "unix:///run/a.sock")      // not told, not dialled
	delete(want["dark"], "tcp://future.example:1/") // not believed, so five days old, so no longer passed on
	for c := hosts.Grey; c <= hosts.Black; c++ {
		if got := contents(h, c); !maps.Equal(got, want[c.String()]) {
			t.Errorf("%v is\n%v, want\n%v", c, got, want[c.String()])
		}
	}

	must(t, h.Save(t.Context()))
	var lines []string
	for line := range strings.Lines(v.Saved) {
		colour, rest, _ := strings.Cut(line, "\t")
		url, _, _ := strings.Cut(rest, "\t")
		if seen, ok := want[colour][url]; ok && !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, url) }) {
			lines = append(lines, colour+"\t"+url+"\t"+seen+"\n")
		}
	}
	i := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "white") })
	lines[i] = "grey\ttcp://white.example:1/\t21\n"
	if got := readFile(t, path); got != strings.Join(lines, "") {
		t.Errorf("saved\n%swant\n%s", got, strings.Join(lines, ""))
	}
}

// What is left of a file with 12,000 addresses of each colour.
func TestListsAreLimitedAsRecorded(t *testing.T) {
	v := recorded(t)
	var b strings.Builder
	for c := range uint32(5) {
		for i := range uint32(12000) {
			scheme := "tcp"
			if hosts.Colour(c) == hosts.Dark {
				scheme = "quic"
			}
			fmt.Fprintf(&b, "%v\t%s://%d.%d.%d.1:1\t%d\n", hosts.Colour(c), scheme, 11+i/250, 1+i%250, c, now)
		}
	}
	path := hostlist(t)
	writeFile(t, path, b.String())
	core, logs := observer.New(zap.DebugLevel)
	h := hosts.New(hosts.Settings{Dialable: []string{"tcp"}, File: path}, zap.New(core), hosts.WithClock((&clock{now}).Now))
	must(t, h.Load(t.Context()))
	must(t, h.Close())
	if logs.FilterField(zap.Int("over the limits", 60_000-23_000)).Len() != 1 {
		t.Errorf("logged %v", logs.All())
	}
	got := map[string]int{}
	for c := hosts.Grey; c <= hosts.Black; c++ {
		got[c.String()] = h.Len(c)
	}
	want := v.HostlistFile.Left
	want["gold"] = 5000 // has a limit too
	want["white"] = 0   // is read back as grey
	if !maps.Equal(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
	for name, limit := range map[string]any{"grey": 2000., "white": 5000., "black": 10000., "dark": 1000., "dark_max_age_s": 86400.} {
		if !reflect.DeepEqual(v.Limits[name], limit) {
			t.Errorf("%s is recorded as %v", name, v.Limits[name])
		}
	}
}

func writeFile(t testing.TB, path, content string) {
	t.Helper()
	must(t, os.MkdirAll(path[:strings.LastIndexByte(path, '/')], 0o700))
	must(t, os.WriteFile(path, []byte(content), 0o600))
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	return string(content)
}
