package addr

import "strings"

// maxPrinted bounds, in bytes, what of an address stands in a log line or an error.
const maxPrinted = 200

// Reasons of a ParseError, also what its text says.
const (
	reasonTooLong     = "longer than 4096 bytes"
	reasonNotUTF8     = "not UTF-8"
	reasonNoScheme    = "no scheme: expected something like tcp://host:port"
	reasonNoHost      = "no host"
	reasonPort        = "port is not a number from 0 to 65535"
	reasonIPv4        = "host ends in a number and is no IPv4 address"
	reasonIPv6        = "host in brackets is no IPv6 address"
	reasonZone        = reasonIPv6 + " without a zone: leave out the % and what follows"
	reasonBrackets    = ": an IPv6 address is written in brackets"
	reasonDomain      = "host is no valid domain name"
	reasonOpaqueChars = "forbidden character in the host"
)

// ParseError says why a text is not an address.
type ParseError struct {
	// Text is what was parsed, fit for a log: at most 200 bytes of printable ASCII, with
	// everything that may be a user name, a password, a query or a fragment taken out.
	Text string
	// Reason is a short phrase for people.
	Reason string
}

// Error names the text and the reason in one line of printable ASCII.
func (e *ParseError) Error() string {
	return `address "` + e.Text + `": ` + e.Reason
}

// redact makes a text that may hold secrets fit for a log. As the text need not be a valid
// address it takes out generously: from the scheme to the last '@', and from the first '?' or '#'.
func redact(text string) string {
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		scheme := 0
		if i := strings.Index(text[:at], "://"); i >= 0 {
			scheme = i + len("://")
		}
		text = text[:scheme] + text[at+1:]
	}
	if i := strings.IndexAny(text, "?#"); i >= 0 {
		text = text[:i]
	}
	return printable(text)
}

// printable escapes every byte outside printable ASCII as \xNN and shortens to maxPrinted.
func printable(text string) string {
	const (
		hex = "0123456789abcdef"
		cut = "..."
	)
	var out []byte
	for i := range len(text) {
		before := len(out)
		if c := text[i]; ' ' <= c && c <= '~' {
			out = append(out, c)
		} else {
			out = append(out, '\\', 'x', hex[c>>4], hex[c&15])
		}
		if len(out) > maxPrinted {
			return string(append(out[:min(before, maxPrinted-len(cut))], cut...))
		}
	}
	return string(out)
}
