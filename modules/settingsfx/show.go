package settingsfx

import (
	"encoding"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"dchat/p2p"
	"dchat/p2p/addr"
)

// Show writes every setting with its value and where that comes from, as TOML with comments. Of the
// profiles it writes those that are in use. What is not set is commented out. Users and
// passwords in addresses are left out. The error is that of w.
func (r *Report) Show(w io.Writer) error {
	const widest = 48 // longer lines stand out rather than push all others to the right
	width, table := 0, ""
	for _, f := range r.fields {
		if n := utf8.RuneCountInString(assignment(f)); n <= widest {
			width = max(width, n)
		}
	}
	var out strings.Builder
	if r.File != "" {
		fmt.Fprintf(&out, "# file is %s\n\n", printable(r.File))
	}
	for _, f := range r.fields {
		if t := tableOf(f.key); t != table {
			if table != "" {
				out.WriteByte('\n')
			}
			table = t
			fmt.Fprintf(&out, "[%s]\n", t)
		}
		fmt.Fprintf(&out, "%-*s  # %s\n", width, assignment(f), r.originOf(f.key))
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// originOf is "file line 7", "env DCHAT_NET__PEERS", "flag --peers" or "default".
func (r *Report) originOf(key string) string {
	switch origin := r.Origins[key]; origin.Kind {
	case FromFile:
		return fmt.Sprint("file line ", origin.Line)
	case FromEnv:
		return "env " + origin.Name
	case FromFlag:
		return "flag " + origin.Name
	default:
		return "default"
	}
}

// tableOf is the header of the table that a key is in.
func tableOf(key string) string {
	table := key[:len(key)-len(lastPart(key))-1]
	if profile, ok := strings.CutPrefix(table, "net.profiles."); ok {
		return "net.profiles." + quote(profile)
	}
	return table
}

// assignment is name = value, as a comment when there is no value.
func assignment(f field) string {
	value := tomlValue(f.value.Interface())
	if value == "" {
		return "# " + lastPart(f.key) + " is not set"
	}
	return lastPart(f.key) + " = " + value
}

// tomlValue writes the value of a key as in the file; nothing for a nil pointer or the zero address.
func tomlValue(value any) string {
	if v := reflect.ValueOf(value); v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return ""
		}
		return tomlValue(v.Elem().Interface())
	}
	switch value := value.(type) {
	case addr.Addr:
		if value.IsZero() {
			return ""
		}
		return quote(value.Redacted())
	case time.Duration:
		return fmt.Sprint(int64(value / time.Second))
	case p2p.BlacklistEntry:
		return "[" + quote(value.Host) + ", " + tomlValue(value.Schemes) + ", " + tomlValue(value.Ports) + "]"
	case encoding.TextMarshaler:
		text, _ := value.MarshalText()
		return quote(string(text))
	}
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.Slice, reflect.Array:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = tomlValue(v.Index(i).Interface())
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case reflect.String:
		return quote(v.String())
	default:
		return fmt.Sprint(value)
	}
}

// quote writes a text as a TOML string of printable characters.
func quote(text string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			out.WriteByte('\\')
			out.WriteRune(r)
		case unicode.IsPrint(r):
			out.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(&out, `\u%04X`, r)
		default:
			fmt.Fprintf(&out, `\U%08X`, r)
		}
	}
	out.WriteByte('"')
	return out.String()
}

// printable puts a question mark in place of what does not print.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}

// redact takes users and passwords, queries and fragments out of a text that may be an address.
func redact(text string) string {
	start := 0
	if i := strings.Index(text, "://"); i >= 0 {
		start = i + len("://")
	}
	if at := strings.LastIndexByte(text, '@'); at >= start { // first, since a password may have any of the others
		text = text[:start] + "…" + text[at:]
	}
	if end := strings.IndexAny(text, "?#"); start > 0 && end > start {
		text = text[:end] + "…"
	}
	return text
}
