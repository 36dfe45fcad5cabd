package addr_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"dchat/p2p/addr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// golden is what the reference implementation's own parser makes of addresses.
type golden struct {
	URLs []struct {
		In   string `json:"in"`
		Err  string `json:"err"`
		URL  string `json:"url"`
		Host *struct {
			Kind string `json:"kind"`
			Text string `json:"text"`
		} `json:"host"`
		Scheme   string  `json:"scheme"`
		Port     *uint16 `json:"port"`
		Path     string  `json:"path"`
		FilePath *string `json:"file_path"`
	} `json:"urls"`
	Equality []struct {
		A    string `json:"a"`
		B    string `json:"b"`
		Same bool   `json:"same"`
	} `json:"url_equality"`
	Rewrite []struct {
		In          string  `json:"in"`
		WithoutPort *string `json:"without_port"`
	} `json:"url_rewrite"`
	SetScheme []struct {
		In      string `json:"in"`
		Scheme  string `json:"scheme"`
		Changed bool   `json:"changed"`
		URL     string `json:"url"`
	} `json:"url_set_scheme"`
}

func readGolden(t testing.TB) golden {
	t.Helper()
	data, err := os.ReadFile("testdata/urls.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// goldenReasons maps the golden data's names of errors to ours, which may say more.
var goldenReasons = map[string]string{
	"RelativeUrlWithoutBase": "no scheme: expected something like tcp://host:port",
	"EmptyHost":              "no host",
	"InvalidPort":            "port is not a number from 0 to 65535",
	"InvalidIpv4Address":     "host ends in a number and is no IPv4 address",
	"InvalidIpv6Address":     "host in brackets is no IPv6 address",
	"IdnaError":              "host is no valid domain name",
	"InvalidDomainCharacter": "forbidden character in the host",
}

func TestParseGolden(t *testing.T) {
	rows := readGolden(t).URLs
	if len(rows) != 334 {
		t.Fatalf("%d rows, want 334", len(rows))
	}
	for _, row := range rows {
		got, err := addr.Parse(row.In)
		if row.Err != "" {
			var parseErr *addr.ParseError
			if !errors.As(err, &parseErr) || !strings.HasPrefix(parseErr.Reason, goldenReasons[row.Err]) {
				t.Errorf("Parse(%q) = %q, error %v; want the error %s", row.In, got, err, row.Err)
			}
			continue
		}
		if err != nil || got.String() != row.URL {
			t.Errorf("Parse(%q) = %q, error %v; want %q", row.In, got, err, row.URL)
			continue
		}
		if got.Scheme() != row.Scheme || got.Path() != row.Path {
			t.Errorf("%q: scheme %q, path %q; want %q, %q", row.In, got.Scheme(), got.Path(), row.Scheme, row.Path)
		}
		host := ""
		if row.Host != nil {
			host = row.Host.Text
			if ip, ok := got.IP(); row.Host.Kind != "domain" && (!ok || ip.Is6() != (row.Host.Kind == "ipv6")) {
				t.Errorf("%q: IP %v, %v; want an %s", row.In, ip, ok, row.Host.Kind)
			}
		}
		if got.Host() != host {
			t.Errorf("%q: host %q, want %q", row.In, got.Host(), host)
		}
		if port, ok := got.Port(); ok != (row.Port != nil) || ok && port != *row.Port {
			t.Errorf("%q: port %d, %v; want %v", row.In, port, ok, row.Port)
		}
		if path, ok := got.FilePath(); ok != (row.FilePath != nil) || ok && path != *row.FilePath {
			t.Errorf("%q: file path %q, %v; want %v", row.In, path, ok, row.FilePath)
		}
		if again, err := addr.Parse(row.URL); again != got {
			t.Errorf("Parse(%q) = %q, error %v; want the same address again", row.URL, again, err)
		}
	}
}

func TestEqualityGolden(t *testing.T) {
	for _, row := range readGolden(t).Equality {
		if same := addr.MustParse(row.A) == addr.MustParse(row.B); same != row.Same {
			t.Errorf("%q == %q is %v", row.A, row.B, same)
		}
	}
}

func TestRewriteGolden(t *testing.T) {
	for _, row := range readGolden(t).Rewrite {
		a := addr.MustParse(row.In)
		got, ok := a.WithoutPort()
		if ok != (row.WithoutPort != nil) || ok && got.String() != *row.WithoutPort {
			t.Errorf("%q without port is %q, %v; want %v", row.In, got, ok, row.WithoutPort)
		}
	}
}

func TestWithSchemeGolden(t *testing.T) {
	for _, row := range readGolden(t).SetScheme {
		got, ok := addr.MustParse(row.In).WithScheme(row.Scheme)
		if ok != row.Changed || ok && got.String() != row.URL {
			t.Errorf("%q with scheme %s is %q, %v; want %q, %v", row.In, row.Scheme, got, ok, row.URL, row.Changed)
		}
	}
}
