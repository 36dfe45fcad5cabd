package addr_test

import (
	"testing"

	"dchat/p2p/addr"
)

func TestUserinfo(t *testing.T) {
	for in, want := range map[string][2]string{
		"socks5://h:1":                       {"", ""},
		"socks5://user@h:1/x:2":              {"user", ""},
		"socks5://user:pass@h:1/x:2":         {"user", "pass"},
		"socks5://:pass@h:1":                 {"", "pass"},
		"socks5://a%20b%3A%40:%25%2f:c@h:1":  {"a b:@", "%/:c"},
		"socks5://%C3%A9%zz:p@[::1]:1/":      {"é%zz", "p"},
		"socks5://a@b@h:1":                   {"a@b", ""},
		"quic://user:pass@h:1":               {"user", "pass"},
		"quic:user:pass@h:1":                 {"", ""},
		"socks5://h:1/user:pass@destination": {"", ""},
		"unix:///a@b":                        {"", ""},
	} {
		user, password := addr.MustParse(in).Userinfo()
		if got := [2]string{user, password}; got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
	if user, password := (addr.Addr{}).Userinfo(); user != "" || password != "" {
		t.Errorf("no address: %q, %q", user, password)
	}
}

func TestDestination(t *testing.T) {
	for in, want := range map[string]string{
		"socks5://p:1/host:2":            "tcp://host:2/",
		"socks5://u:p@p:1/Host:02":       "tcp://host:2/",
		"socks5+tls://p:1/host:2":        "tcp://host:2/",
		"socks5://p:1/host":              "tcp://host/",
		"socks5://p:1/host:":             "tcp://host/",
		"socks5://p:1/1.2.3.4:5":         "tcp://1.2.3.4:5/",
		"socks5://p:1/0x7f.1:5":          "tcp://127.0.0.1:5/",
		"socks5://p:1/[2001:db8:0::1]:5": "tcp://[2001:db8::1]:5/",
		"socks5://p:1/%5B::1%5D%3A5":     "tcp://[::1]:5/",
		"socks5://p:1/b%C3%BCcher.de:5":  "tcp://xn--bcher-kva.de:5/",
		"socks5://p:1/bücher.de:5":       "tcp://xn--bcher-kva.de:5/",
		"socks5:p:1/host:2":              "tcp://host:2/",

		"socks5://p:1":                "",
		"socks5://p:1/":               "",
		"socks5://p:1//host:2":        "",
		"socks5://p:1/host:2/":        "",
		"socks5://p:1/host:2/x":       "",
		"socks5://p:1/host:2%2F":      "",
		"socks5://p:1/host:2%5C":      "",
		"socks5://p:1/host:2?":        "",
		"socks5://p:1/host:2?q":       "",
		"socks5://p:1/host:2#":        "",
		"socks5://p:1/host:2%3Fq":     "",
		"socks5://p:1/host:2%23f":     "",
		"socks5://p:1/user@host:2":    "",
		"socks5://p:1/user%40host:2":  "",
		"socks5://p:1/ho%20st:2":      "",
		"socks5://p:1/ho%0Ast:2":      "",
		"socks5://p:1/ho%00st:2":      "",
		"socks5://p:1/ho%2573t:2":     "",
		"socks5://p:1/ho%zzst:2":      "",
		"socks5://p:1/:2":             "",
		"socks5://p:1/host:65536":     "",
		"socks5://p:1/host:http":      "",
		"socks5://p:1/::1:2":          "",
		"socks5://p:1/[::1%25eth0]:2": "",
		"socks5://p:1/1.2.3.256:2":    "",
		"socks5://p:1/%FF:2":          "",
		"quic://p:1":                  "",
		"quic:host:2":                 "",
	} {
		got, ok := addr.MustParse(in).Destination()
		if ok != (want != "") || got.String() != want {
			t.Errorf("%s: %q, %v, want %q", in, got, ok, want)
		}
	}
}
