package addr_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"dchat/p2p/addr"
)

func TestParseDropsWhatIsAroundAndLineEndsInside(t *testing.T) {
	for _, in := range []string{"tcp://host:1", " \x00tcp://host:1\x1f ", "t\tcp:\r//ho\nst:1"} {
		if got, err := addr.Parse(in); err != nil || got.String() != "tcp://host:1/" {
			t.Errorf("Parse(%q) = %q, error %v", in, got, err)
		}
	}
}

func TestParseRefusesWhatTheGoldenDataLeavesOut(t *testing.T) {
	long := strings.Repeat("a", addr.MaxLen)
	for in, reason := range map[string]string{
		"tcp://" + long: "longer than 4096 bytes",
		// Each space takes three bytes in normal form, which must parse again.
		"tcp://h/" + strings.Repeat(" ", addr.MaxLen/2) + "x": "longer than 4096 bytes",
		"tcp://\xff:1": "not UTF-8",
		"tcp://" + strings.Repeat("é", 128) + ":1": "host is no valid domain name",
		"tcp://%C2%AD:1":    "host is no valid domain name", // a soft hyphen, so nothing
		"quic://user@":      "no host",
		"quic://user@/path": "no host",
		"quic://@":          "no host",
		"tcp://[1.2.3.4]:1": "host in brackets is no IPv6 address",
		"tcp://[::1:1":      "host in brackets is no IPv6 address",

		"tcp://[fe80::1%eth0]:1":    "host in brackets is no IPv6 address without a zone: leave out the % and what follows",
		"quic://[fe80::1%25eth0]:1": "host in brackets is no IPv6 address without a zone: leave out the % and what follows",
		"tcp://::1:1":               "no host: an IPv6 address is written in brackets",
		"quic://2001:db8::1:26661":  "port is not a number from 0 to 65535: an IPv6 address is written in brackets",
		"tcp://2001:db8::1":         "port is not a number from 0 to 65535: an IPv6 address is written in brackets",
		"tcp://host:1:2":            "port is not a number from 0 to 65535",
	} {
		var parseErr *addr.ParseError
		if got, err := addr.Parse(in); !errors.As(err, &parseErr) || parseErr.Reason != reason || !got.IsZero() {
			t.Errorf("Parse(%.40q) = %.40q, error %v; want %q", in, got, err, reason)
		}
	}
	if longest := "tcp://" + long[len("tcp:///"):] + "/"; len(longest) != addr.MaxLen {
		t.Fatalf("%d bytes", len(longest))
	} else if _, err := addr.Parse(longest); err != nil {
		t.Errorf("an address of MaxLen bytes: %v", err)
	}
}

func TestParseGoesOnWhereTheGoldenDataEnds(t *testing.T) {
	for in, want := range map[string]string{
		"tcp://h/...":             "tcp://h/...",
		"tcp://h/a/.%2E/b/.%2e":   "tcp://h/",
		"tcp://h/a//../b":         "tcp://h/a/b",
		"tcp://h/%2e%2e%2e":       "tcp://h/%2e%2e%2e",
		"ftp://h:21":              "ftp://h/",
		"wss://h:443":             "wss://h/",
		"wss://h:80":              "wss://h:80/",
		"foo::1":                  "foo::1",
		"quic://h:1\\b@c":         "quic://h:1%5Cb@c",
		"tcp://[1:2:3:4:5:6:7::]": "tcp://[1:2:3:4:5:6:7:0]/",
		"tcp://0xffffffff":        "tcp://255.255.255.255/",
	} {
		if got, err := addr.Parse(in); err != nil || got.String() != want {
			t.Errorf("Parse(%q) = %q, error %v; want %q", in, got, err, want)
		}
	}
	if _, ok := addr.MustParse("foo::1").Port(); ok {
		t.Error("foo::1 has a port")
	}
}

func TestParseCopiesNothingThatIsInNormalForm(t *testing.T) {
	for _, text := range []string{"tcp+tls://203.0.113.77:25551/", "tcp://seed.example.org:1/", "quic://[2001:db8::77]:25551"} {
		if n := testing.AllocsPerRun(100, func() { _, _ = addr.Parse(text) }); n != 0 {
			t.Errorf("%q: %v allocations", text, n)
		}
	}
}

func TestPathThatLooksLikeAHostStaysAPath(t *testing.T) {
	a := addr.MustParse("foo:/..//host:1?q")
	if a.String() != "foo:/.//host:1?q" || a.Path() != "//host:1" || a.Host() != "" {
		t.Errorf("%q with path %q and host %q", a, a.Path(), a.Host())
	}
	if _, ok := a.Port(); ok {
		t.Error("it has a port")
	}
	if again := addr.MustParse(a.String()); again != a {
		t.Errorf("parses as %q the second time", again)
	}
}

func TestZeroAddr(t *testing.T) {
	var zero addr.Addr
	if !zero.IsZero() || zero.IsGlobal() || zero.Public() != zero {
		t.Error("the zero Addr is something")
	}
	for name, part := range map[string]string{
		"String": zero.String(), "Scheme": zero.Scheme(), "Host": zero.Host(), "Hostname": zero.Hostname(),
		"HostPort": zero.HostPort(), "Path": zero.Path(), "Redacted": zero.Redacted(),
	} {
		if part != "" {
			t.Errorf("%s is %q", name, part)
		}
	}
	_, hasPort := zero.Port()
	_, hasIP := zero.IP()
	_, hasFile := zero.FilePath()
	_, without := zero.WithoutPort()
	_, with := zero.WithPort(1)
	_, scheme := zero.WithScheme("tcp")
	if hasPort || hasIP || hasFile || without || with || scheme {
		t.Error("the zero Addr has parts")
	}
}

func TestMustParsePanicsOnAnError(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	addr.MustParse("127.0.0.1:1")
}

func TestFromIP(t *testing.T) {
	for _, row := range []struct{ scheme, ap, want string }{
		{"tcp", "127.0.0.1:8080", "tcp://127.0.0.1:8080/"},
		{"tcp+tls", "[2001:db8::1]:1", "tcp+tls://[2001:db8::1]:1/"},
		{"tcp", "[fe80::1%eth0]:1", "tcp://[fe80::1]:1/"},
		{"tcp", "1.2.3.4:0", "tcp://1.2.3.4:0/"},
		{"quic", "127.0.0.1:1", "quic://127.0.0.1:1"},
		{"quic", "[::ffff:127.0.0.1]:1", "quic://[::ffff:7f00:1]:1"},
		{"quic", "[::ffff:0.0.0.1%eth0]:1", "quic://[::ffff:0:1]:1"},
		{"", "127.0.0.1:1", ""},
		{"t_cp", "127.0.0.1:1", ""},
		{"tcp://evil", "127.0.0.1:1", ""},
		{strings.Repeat("a", addr.MaxLen), "127.0.0.1:1", ""},
	} {
		got := addr.FromIP(row.scheme, netip.MustParseAddrPort(row.ap))
		if got.String() != row.want {
			t.Errorf("FromIP(%q, %s) = %q, want %q", row.scheme, row.ap, got, row.want)
		}
		if parsed, _ := addr.Parse(row.want); parsed != got {
			t.Errorf("FromIP(%q, %s) is not what %q parses to", row.scheme, row.ap, row.want)
		}
	}
	if got := addr.FromIP("tcp", netip.AddrPort{}); !got.IsZero() {
		t.Errorf("without an IP: %q", got)
	}
}

func TestHostParts(t *testing.T) {
	for _, row := range []struct{ in, hostname, hostPort, ip string }{
		{"tcp://host:1", "host", "host:1", ""},
		{"tcp://host.:1", "host.", "host.:1", ""},
		{"tcp://host:0", "host", "host:0", ""},
		{"tcp://host", "host", "host", ""},
		{"tcp://0x7f.1:1", "127.0.0.1", "127.0.0.1:1", "127.0.0.1"},
		{"tcp://[::1]:1", "::1", "[::1]:1", "::1"},
		{"tcp://[::1]", "::1", "[::1]", "::1"},
		{"tcp://u:p@host:1/p?q#f", "host", "host:1", ""},
		{"quic://127.0.0.1:1", "127.0.0.1", "127.0.0.1:1", "127.0.0.1"},
		{"quic://0x7f.1:1", "0x7f.1", "127.0.0.1:1", "127.0.0.1"},
		{"quic://%31%32%37.1:1", "%31%32%37.1", "127.0.0.1:1", "127.0.0.1"},
		{"quic://１２７.0.0.1:1", "%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1", "127.0.0.1:1", "127.0.0.1"},
		{"quic://[::ffff:127.0.0.1]:1", "::ffff:7f00:1", "[::ffff:127.0.0.1]:1", "::ffff:127.0.0.1"},
		{"quic://1.2.3.256:1", "1.2.3.256", "1.2.3.256:1", ""},
		{"quic://HOST:1", "HOST", "HOST:1", ""},
		{"quic:1.2.3.4:1", "", "", ""},
		{"unix:///run/a:1", "", "", ""},
	} {
		a := addr.MustParse(row.in)
		ip, ok := a.IP()
		if ok != (row.ip != "") || ok && ip.String() != row.ip {
			t.Errorf("%q: IP %v, %v; want %q", row.in, ip, ok, row.ip)
		}
		if a.Hostname() != row.hostname || a.HostPort() != row.hostPort {
			t.Errorf("%q: %q, %q; want %q, %q", row.in, a.Hostname(), a.HostPort(), row.hostname, row.hostPort)
		}
	}
}

func TestFilePathIsForUnixSocketsOnly(t *testing.T) {
	for _, in := range []string{"tcp://localhost/run/a", "foo:///run/a", "unix:///run/a%00b"} {
		if path, ok := addr.MustParse(in).FilePath(); ok {
			t.Errorf("%q has the file path %q", in, path)
		}
	}
	if path, ok := addr.MustParse("unix:///a%2Fb%zz%").FilePath(); !ok || path != "/a/b%zz%" {
		t.Errorf("file path %q, %v", path, ok)
	}
}

func TestText(t *testing.T) {
	type settings struct{ Peers []addr.Addr }
	want := settings{Peers: []addr.Addr{addr.MustParse("tcp://Host:1"), addr.MustParse("quic://Host:1")}}
	data, err := json.Marshal(want)
	if err != nil || string(data) != `{"Peers":["tcp://host:1/","quic://Host:1"]}` {
		t.Fatalf("%s, error %v", data, err)
	}
	var got settings
	if err := json.Unmarshal(data, &got); err != nil || got.Peers[0] != want.Peers[0] || got.Peers[1] != want.Peers[1] {
		t.Errorf("%v, error %v", got, err)
	}

	a := want.Peers[0]
	var parseErr *addr.ParseError
	if err := a.UnmarshalText([]byte("127.0.0.1:1")); !errors.As(err, &parseErr) || a != want.Peers[0] {
		t.Errorf("after a bad text: %q, error %v", a, err)
	}
	if err := a.UnmarshalText(nil); err == nil {
		t.Error("the empty text is taken for an address")
	}
}

func TestScratchOfTheCallerIsNotKept(t *testing.T) {
	text := []byte("tcp://host:1/")
	var a addr.Addr
	if err := a.UnmarshalText(text); err != nil {
		t.Fatal(err)
	}
	copy(text, "quic")
	if a.String() != "tcp://host:1/" {
		t.Errorf("now it is %q", a)
	}
}
