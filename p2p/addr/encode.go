package addr

import "strings"

// What is percent-encoded in each part, besides control characters and all outside ASCII.
// What would end the part is not listed: it cannot stand there.
const (
	fragmentSet     = " \"<>`"
	querySet        = " \"<>"
	specialQuerySet = querySet + "'"
	pathSet         = " \"<>`{}"
	userinfoSet     = pathSet + "/:;=@[\\]^|"
)

// appendEncoded appends s with control characters, bytes outside ASCII and those in set
// percent-encoded. What is encoded already stays as it is, even where it is malformed.
func appendEncoded(out []byte, s, set string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || strings.IndexByte(set, c) >= 0 {
			out = append(out, '%', hex[c>>4], hex[c&15])
		} else {
			out = append(out, c)
		}
	}
	return out
}

// decoded is s with its percent-encoding undone; a '%' without two hex digits after it stays.
func decoded(s string) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2])
			if hi >= 0 && lo >= 0 {
				out = append(out, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// hexDigit is the value of a hex digit, -1 for anything else.
func hexDigit(c byte) int {
	switch c = lower(c); {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

// dotSegment tells whether a path segment stands for its directory (1) or the one above (2), in
// any mix of dots and encoded dots, or for itself (0).
func dotSegment(segment string) (dots int) {
	for segment != "" {
		switch {
		case segment[0] == '.':
			segment = segment[1:]
		case len(segment) >= 3 && strings.EqualFold(segment[:3], "%2e"):
			segment = segment[3:]
		default:
			return 0
		}
		if dots++; dots > 2 {
			return 0
		}
	}
	return dots
}
