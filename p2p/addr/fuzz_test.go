package addr_test

import (
	"errors"
	"testing"

	"dchat/p2p/addr"
)

func FuzzParse(f *testing.F) {
	for _, row := range readGolden(f).URLs {
		f.Add(row.In)
	}
	f.Add("foo:/..//a")
	f.Add("foo:a ?q")
	f.Add("tcp://\xff:1")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := addr.Parse(text)
		if err != nil {
			var parseErr *addr.ParseError
			if !errors.As(err, &parseErr) || !a.IsZero() {
				t.Fatalf("Parse(%q) = %q, error %v", text, a, err)
			}
			mustBePrintable(t, parseErr.Text, 200)
			return
		}
		mustBePrintable(t, a.String(), addr.MaxLen)
		mustBePrintable(t, a.Redacted(), 200)
		mustBeStable(t, a)
		mustBeStable(t, a.Public())
		if b, ok := a.WithoutPort(); ok {
			mustBeStable(t, b)
		}
		if b, ok := a.WithPort(65535); ok {
			mustBeStable(t, b)
		}
		if b, ok := a.WithScheme(a.Scheme()); !ok || b != a {
			t.Fatalf("%q with its own scheme is %q, %v", a, b, ok)
		}
		if ip, ok := a.IP(); ok && a.IsGlobal() != addr.IsGlobalIP(ip) {
			t.Fatalf("%q and %v are not equally global", a, ip)
		}
		if b, ok := a.Destination(); ok {
			mustBeStable(t, b)
		}
		a.HostPort()
		a.FilePath()
		a.Userinfo()
	})
}

func mustBeStable(t *testing.T, a addr.Addr) {
	t.Helper()
	if again, err := addr.Parse(a.String()); err != nil || again != a {
		t.Fatalf("%q parses as %q, error %v", a, again, err)
	}
}

func mustBePrintable(t *testing.T, text string, length int) {
	t.Helper()
	if len(text) > length {
		t.Fatalf("%d bytes, more than %d: %q", len(text), length, text)
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			t.Fatalf("not printable ASCII: %q", text)
		}
	}
}
