package addr_test

import (
	"errors"
	"strings"
	"testing"

	"dchat/p2p/addr"
)

func TestPublicAndRedacted(t *testing.T) {
	for _, row := range []struct{ in, public, redacted string }{
		{"tcp://host:1", "tcp://host:1/", "tcp://host:1/"},
		{"tcp://user:secret@host:1/p?secret#secret", "tcp://host:1/p", "tcp://host:1/p"},
		{"tcp://user@host", "tcp://host/", "tcp://host/"},
		{"tcp://:secret@[::1]:1?", "tcp://[::1]:1/", "tcp://[::1]:1/"},
		{"quic://user:secret@Host:1#secret", "quic://Host:1", "quic://Host:1"},
		{"socks5://user:secret@proxy:1080/dest:1?secret", "socks5://proxy:1080/dest:1", "socks5://proxy:1080/dest:1"},
		{"unix:///run/user@1?secret", "unix:///run/user@1", "unix:///run/user@1"},
		{"foo:/.//a@b#secret", "foo:/.//a@b", "foo:/.//a@b"},
		{"foo:a #secret", "foo:a", "foo:a "},
		// No user by the rules, but most likely by intention.
		{"quic:user:secret@host:1", "quic:user:secret@host:1", "host:1"},
		{"quic://é:1", "quic://%C3%A9:1", "quic://%C3%A9:1"},
		{"socks5://proxy:1/user:secret@host:2", "socks5://proxy:1/user:secret@host:2", "socks5://proxy:1/host:2"},
	} {
		a := addr.MustParse(row.in)
		if got := a.Public().String(); got != row.public {
			t.Errorf("%q public is %q, want %q", row.in, got, row.public)
		}
		if got := a.Redacted(); got != row.redacted {
			t.Errorf("%q redacted is %q, want %q", row.in, got, row.redacted)
		}
	}
	long := addr.MustParse("tcp://" + strings.Repeat("a", 300) + ":1").Redacted()
	if want := "tcp://" + strings.Repeat("a", 191) + "..."; long != want {
		t.Errorf("%d bytes: %q", len(long), long)
	}
}

func TestParseErrorTellsNoSecretsAndFitsOneLine(t *testing.T) {
	for _, row := range []struct{ in, text string }{
		{"tcp://user:secret@host:x", "tcp://host:x"},
		{"tcp://user:sec@secret@host:x?secret", "tcp://host:x"},
		{"tcp://user:sec?ret@host:x#secret", "tcp://host:x"},
		{"//user:secret@host:1/?secret", "host:1/"},
		{"tcp:/\t/user:secret@ho st:1", "ho st:1"},
		{"t\ncp\x1b[31m\xffé://", `t\x0acp\x1b[31m\xff\xc3\xa9://`},
		{"", ""},
	} {
		_, err := addr.Parse(row.in)
		var parseErr *addr.ParseError
		if !errors.As(err, &parseErr) || parseErr.Text != row.text {
			t.Errorf("Parse(%q): error %v, want the text %q", row.in, err, row.text)
			continue
		}
		if want := `address "` + row.text + `": ` + parseErr.Reason; err.Error() != want {
			t.Errorf("Parse(%q): %q, want %q", row.in, err, want)
		}
	}
	_, err := addr.Parse(strings.Repeat("\x00", 10*addr.MaxLen) + "x")
	if parseErr := new(addr.ParseError); !errors.As(err, &parseErr) || len(parseErr.Text) > 200 {
		t.Errorf("error %v", err)
	}
}

func TestWithPort(t *testing.T) {
	for _, row := range []struct{ in, want string }{
		{"tcp://u:p@host:1/p?q#f", "tcp://u:p@host:9/p?q#f"},
		{"tcp://host", "tcp://host:9/"},
		{"quic://[::1]:1", "quic://[::1]:9"},
		{"unix:///run/a", ""},
		{"quic://", ""},
		{"quic:host:1", ""},
		{"quic://" + strings.Repeat("a", addr.MaxLen-len("quic://")), ""},
	} {
		got, ok := addr.MustParse(row.in).WithPort(9)
		if got.String() != row.want || ok != (row.want != "") {
			t.Errorf("%q with port 9 is %q, %v; want %q", row.in, got, ok, row.want)
		}
	}
}

func TestWithSchemeRefusesWhatIsNone(t *testing.T) {
	a := addr.MustParse("tcp://host:1")
	for _, scheme := range []string{"", "tor:", "tor://x", "t_r", "1", "tor\n"} {
		if got, ok := a.WithScheme(scheme); ok {
			t.Errorf("%q is taken for a scheme: %q", scheme, got)
		}
	}
	if got, ok := a.WithScheme("TOR"); !ok || got != addr.MustParse("tor://host:1") {
		t.Errorf("%q, %v", got, ok)
	}
}
