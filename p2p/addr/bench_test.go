package addr_test

import (
	"strings"
	"testing"

	"dchat/p2p/addr"
)

func BenchmarkParse(b *testing.B) {
	for name, text := range map[string]string{
		"normal":      "tcp+tls://203.0.113.77:25551/",
		"name":        "tcp+tls://seed.example.org:25551/",
		"ipv6":        "tcp+tls://[2001:db8::77]:25551/",
		"quic":        "quic://203.0.113.77:25551",
		"noSlash":     "tcp+tls://203.0.113.77:25551",
		"unicode":     "tcp://bücher.example:25551",
		"longUnicode": "tcp://" + strings.Repeat("é", 127),
		"longMapped":  "tcp://" + strings.Repeat("\ufdfa", 42) + distinct(42),
		"longACE":     "tcp://xn--" + strings.Repeat("a9", 125),
		"long":        "tcp://" + strings.Repeat("a.", 2000),
		"longPath":    "tcp://a" + strings.Repeat("/b", 2000),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = addr.Parse(text)
			}
		})
	}
}

// distinct is n different letters, the worst that punycode can be given.
func distinct(n int) string {
	letters := make([]rune, n)
	for i := range letters {
		letters[i] = rune('一' + 97*i)
	}
	return string(letters)
}
