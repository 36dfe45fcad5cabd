package addr_test

import (
	"testing"

	"dchat/p2p/addr"
)

// One endpoint can be written in many ways. What only spells it differently is the same address,
// what says something more is another one, and the rest is none.
func TestAliases(t *testing.T) {
	type verdict int
	const (
		same verdict = iota
		other
		refused
	)
	for _, family := range []struct {
		want    string
		aliases map[string]verdict
	}{
		{"tcp://8.8.4.4:80/", map[string]verdict{
			"tcp://8.8.4.4:80":               same,
			"TCP://8.8.4.4:80/":              same,
			" tcp://8.8.4.4:80/\n":           same,
			"tcp:8.8.4.4:80":                 same,
			"tcp:/8.8.4.4:80":                same,
			"tcp:///8.8.4.4:80":              same,
			`tcp:\\8.8.4.4:80\`:              same,
			"tcp://8.8.4.4:0080":             same,
			"tcp://8.8.4.4.:80":              same,
			"tcp://010.8.4.4:80":             same,
			"tcp://0x8.0x8.4.4:80":           same,
			"tcp://0X8.8.0x404:80":           same,
			"tcp://8.525316:80":              same,
			"tcp://134743044:80":             same,
			"tcp://0x08080404:80":            same,
			"tcp://001002002004:80":          same,
			"tcp://%38.8.4.4:80":             same,
			"tcp://8%2e8%2E4.4:80":           same,
			"tcp://８.８.４.４:80":               same,
			"tcp://8。8。4。4:80":               same,
			"tcp://@8.8.4.4:80":              same,
			"tcp://:@8.8.4.4:80":             same,
			"tcp://8.8.4.4:80/.":             same,
			"tcp://8.8.4.4:80/a/..":          same,
			"tcp://8.8.4.4:80/%2e":           same,
			"tcp://8.8.4.4:80//":             other,
			"tcp://8.8.4.4:80/a":             other,
			"tcp://8.8.4.4:80/?":             other,
			"tcp://8.8.4.4:80/#":             other,
			"tcp://u@8.8.4.4:80":             other,
			"tcp://:p@8.8.4.4:80":            other,
			"tcp://8.8.4.4":                  other,
			"tcp://8.8.4.4:":                 other,
			"tcp://[::ffff:8.8.4.4]:80":      other,
			"tcp+tls://8.8.4.4:80":           other,
			"quic://8.8.4.4:80":              other,
			"tcp://8.8.4.4:80:80":            refused,
			"tcp://8.8.4.4:+80":              refused,
			"tcp://8.8.4.4 :80":              refused,
			"tcp://8.8.4.260:80":             refused,
			"tcp://www.8.8.4.4:80":           refused,
			"8.8.4.4:80":                     refused,
			"tcp://8.8.4.4:8０":               refused,
			"tcp://[::ffff:8.8.4.4%eth0]:80": refused,
		}},
		{"tcp://xn--bcher-kva.example:1/", map[string]verdict{
			"tcp://bücher.example:1":         same,
			"tcp://BÜCHER.EXAMPLE:1":         same,
			"tcp://bu\u0308cher.example:1":   same,
			"tcp://b%C3%BCcher.example:1":    same,
			"tcp://XN--BCHER-KVA.example:1":  same,
			"tcp://bü\u00adcher.example:1":   same,
			"tcp://bücher.example.:1":        other,
			"tcp://bucher.example:1":         other,
			"tcp://xn--bcher-kvA-.example:1": refused,
		}},
		{"quic://Host:1", map[string]verdict{
			"QUIC://Host:1":     same,
			"quic://Host:01":    same,
			"quic://Host:1/":    other,
			"quic://host:1":     other,
			"quic://%48ost:1":   other,
			"quic:///Host:1":    other,
			`quic:\\Host:1`:     other,
			"quic://Host\\:1":   refused,
			"quic://Host:65537": refused,
		}},
	} {
		want := addr.MustParse(family.want)
		seen := map[addr.Addr]bool{want: true}
		for alias, verdict := range family.aliases {
			got, err := addr.Parse(alias)
			switch verdict {
			case same:
				if got != want {
					t.Errorf("%q is %q, error %v; want %q", alias, got, err, want)
				}
			case other:
				if err != nil || got == want {
					t.Errorf("%q is %q, error %v; want another address", alias, got, err)
				}
				seen[got] = true
			case refused:
				if err == nil {
					t.Errorf("%q is %q; want an error", alias, got)
				}
			}
		}
		for a := range seen {
			for b := range seen {
				if (a == b) != (a.String() == b.String()) {
					t.Errorf("%q == %q is %v", a, b, a == b)
				}
			}
		}
	}
}
