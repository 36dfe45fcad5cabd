package client

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// escape makes a text of somebody else's safe to show: one line, in which nothing
// steers the terminal or turns the direction of writing. Line ends are shown as
// ⏎, other white space as spaces, bytes that are not UTF-8 as �, and every other
// character that does not print as in JSON: \u001b.
func escape(text string) string {
	if utf8.ValidString(text) && strings.IndexFunc(text, unprintable) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range strings.ReplaceAll(text, "\r\n", "\n") {
		switch {
		case !unprintable(r):
			b.WriteRune(r)
		case r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029':
			b.WriteRune('⏎')
		case r == '\t':
			b.WriteString("    ")
		case unicode.Is(unicode.Zs, r):
			b.WriteByte(' ')
		default:
			b.WriteString(escaped(r))
		}
	}
	return b.String()
}

// escapeJSON does to a line of JSON what keeps its meaning: every character that
// does not print, which can only be in a string, is written as JSON writes it.
func escapeJSON(line string) string {
	if strings.IndexFunc(line, unprintable) < 0 {
		return line
	}
	var b strings.Builder
	for _, r := range line {
		if unprintable(r) {
			b.WriteString(escaped(r))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// unprintable spares the two joiners, without which emoji and some scripts fall
// apart.
func unprintable(r rune) bool {
	const nonJoiner, joiner = '\u200c', '\u200d'
	return !unicode.IsPrint(r) && r != nonJoiner && r != joiner
}

func escaped(r rune) string {
	if r > 0xffff {
		high, low := utf16.EncodeRune(r)
		return fmt.Sprintf(`\u%04x\u%04x`, high, low)
	}
	return fmt.Sprintf(`\u%04x`, r)
}
