package addr

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxLen is the longest address in bytes, as given and in normal form.
const MaxLen = 4096

// Parse reads an address and brings it into normal form. White space and control characters
// around it, and tabs and line ends in it, are dropped. The error is a *ParseError.
//
// Text that is in normal form already is kept, not copied.
func Parse(text string) (Addr, error) {
	a, reason := parse(text)
	if reason != "" {
		return Addr{}, &ParseError{Text: redact(text), Reason: reason}
	}
	return a, nil
}

// MustParse is Parse for constants and tests: it panics on an error.
func MustParse(text string) Addr {
	a, err := Parse(text)
	if err != nil {
		panic(err)
	}
	return a
}

// parse is Parse with the bare reason, empty when there is no error.
func parse(text string) (_ Addr, reason string) {
	if len(text) > MaxLen {
		return Addr{}, reasonTooLong
	}
	if !utf8.ValidString(text) {
		return Addr{}, reasonNotUTF8
	}
	rest := clean(text)
	scheme := schemeLen(rest)
	if scheme == 0 {
		return Addr{}, reasonNoScheme
	}
	var buf [256]byte
	out := appendLower(buf[:0], rest[:scheme])
	var p parser
	p.defaultPort, p.special = special(string(out))
	p.schemeEnd = uint16(scheme)
	out = append(out, ':')
	rest, fragment, hasFragment := strings.Cut(rest[scheme+1:], "#")
	rest, query, hasQuery := strings.Cut(rest, "?")

	if out, reason = p.hierarchy(out, rest); reason != "" {
		return Addr{}, reason
	}
	p.pathEnd = uint16(len(out))
	if hasQuery {
		out = p.appendQuery(out, query)
	}
	if hasFragment {
		out = appendEncoded(append(out, '#'), fragment, fragmentSet)
	}
	if len(out) > MaxLen {
		return Addr{}, reasonTooLong
	}
	if p.text = text; string(out) != text {
		p.text = string(out)
	}
	return p.Addr, ""
}

// clean drops what is never part of an address, wherever it came from.
func clean(text string) string {
	text = strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
	if strings.ContainsAny(text, "\t\n\r") {
		text = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(text)
	}
	return text
}

// parser goes through the parts of an address. The normal form that its methods append to is
// handed from one to the next rather than held here, which keeps it off the heap.
type parser struct {
	Addr        // as far as it is known
	special     bool
	defaultPort uint16
}

// hierarchy appends what stands between the scheme and the query.
func (p *parser) hierarchy(out []byte, rest string) (_ []byte, reason string) {
	switch {
	case p.special:
		// However many slashes were written, also none.
		out, rest, reason = p.authority(out, strings.TrimLeft(rest, `/\`))
	case strings.HasPrefix(rest, "//"):
		out, rest, reason = p.authority(out, rest[len("//"):])
	default:
		p.hostStart, p.hostEnd = uint16(len(out)), uint16(len(out))
		return p.pathAlone(out, rest), ""
	}
	p.pathStart = uint16(len(out))
	if rest != "" || p.special {
		out = p.appendPath(out, rest)
	}
	return out, reason
}

// slashes are the characters that separate the segments of a path.
func (p *parser) slashes() string {
	if p.special {
		return `/\`
	}
	return "/"
}

// pathAlone appends the path of an address that has neither host nor room for one.
func (p *parser) pathAlone(out []byte, path string) []byte {
	p.pathStart = uint16(len(out))
	if !strings.HasPrefix(path, "/") {
		return appendEncoded(out, path, "")
	}
	out = p.appendPath(out, path)
	if strings.HasPrefix(string(out[p.pathStart:]), "//") {
		// Bare, the two slashes would be read as the beginning of a host.
		out = slices.Insert(out, int(p.pathStart), '/', '.')
		p.pathStart += uint16(len("/."))
	}
	return out
}

// appendPath appends a path with its dot segments resolved. It begins with a slash whether or not path does.
func (p *parser) appendPath(out []byte, path string) []byte {
	slashes, root := p.slashes(), len(out)
	if path != "" && strings.IndexByte(slashes, path[0]) >= 0 {
		path = path[1:]
	}
	for more := true; more; {
		segment := path
		i := strings.IndexAny(path, slashes)
		if more = i >= 0; more {
			segment, path = path[:i], path[i+1:]
		}
		dots := dotSegment(segment)
		if dots == 2 {
			out = out[:root+max(0, bytes.LastIndexByte(out[root:], '/'))]
		}
		switch {
		case dots == 0:
			out = appendEncoded(append(out, '/'), segment, pathSet)
		case !more:
			out = append(out, '/')
		}
	}
	return out
}

// appendQuery appends a query with its question mark.
func (p *parser) appendQuery(out []byte, query string) []byte {
	set := querySet
	if p.special {
		set = specialQuerySet
	}
	return appendEncoded(append(out, '?'), query, set)
}
