package settingsfx

import (
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"go.uber.org/zap/zapcore"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/wire"
)

// mismatch is a value that cannot be what its key asks for.
type mismatch struct {
	value  any
	remedy string
}

func (m *mismatch) Error() string { return m.remedy }

// strict turns a value of a layer into the type of its key, and refuses all that is not
// exactly of that type. Nothing is left for the decoder to convert, as it would
// wrap numbers that are too large, cut fractions off and take seconds for nanoseconds.
func (l *loader) strict(from, to reflect.Value) (any, error) {
	raw := from.Interface()
	if from.Type() == to.Type() || to.Kind() == reflect.Pointer {
		return raw, nil
	}
	switch to.Interface().(type) {
	case addr.Addr:
		return fromString(raw, "give an address such as tcp://host:port", addr.Parse)
	case wire.Semver:
		return fromString(raw, `give a version such as "0.4.1"`, wire.ParseSemver)
	case zapcore.Level:
		return fromString(raw, `give "debug", "info", "warn" or "error"`, parseLevel)
	case time.Duration:
		return seconds(raw)
	case [4]byte:
		return magic(raw)
	case p2p.BlacklistEntry:
		return l.blacklistEntry(raw)
	}
	var ok bool
	remedy := "give a text in quotes"
	switch to.Kind() {
	case reflect.String:
		_, ok = raw.(string)
	case reflect.Bool:
		_, ok = raw.(bool)
		remedy = "give true or false"
	case reflect.Int:
		n, isInt := raw.(int64)
		ok, remedy = isInt && !to.OverflowInt(n), "give a whole number"
	case reflect.Uint32:
		n, isInt := raw.(int64)
		ok, remedy = isInt && n >= 0 && !to.OverflowUint(uint64(n)), "give a whole number from 0 to 4294967295"
	case reflect.Slice:
		_, ok = raw.([]any)
		remedy = "give a list in square brackets"
	default: // a table
		_, ok = raw.(map[string]any)
		remedy = "this is the name of a table"
	}
	if !ok {
		return nil, &mismatch{raw, remedy}
	}
	return raw, nil
}

func fromString[T any](raw any, remedy string, parse func(string) (T, error)) (any, error) {
	text, ok := raw.(string)
	if !ok {
		return nil, &mismatch{raw, remedy}
	}
	value, err := parse(text)
	if parseErr := (*addr.ParseError)(nil); errors.As(err, &parseErr) {
		remedy += " (" + parseErr.Reason + ")" // without the text, which is said as the value
	}
	if err != nil {
		return nil, &mismatch{raw, remedy}
	}
	return value, nil
}

func parseLevel(text string) (zapcore.Level, error) {
	for level := zapcore.DebugLevel; level <= zapcore.ErrorLevel; level++ {
		if text == level.String() {
			return level, nil
		}
	}
	return 0, errors.New("no level")
}

// seconds are whole, and fewer than fit into a time.Duration.
func seconds(raw any) (any, error) {
	n, ok := raw.(int64)
	if d := time.Duration(n) * time.Second; ok && d/time.Second == time.Duration(n) {
		return d, nil
	}
	return nil, &mismatch{raw, "give a whole number of seconds, without a unit"}
}

func magic(raw any) (any, error) {
	var out [4]byte
	switch value := raw.(type) {
	case string:
		if b, err := hex.DecodeString(value); err == nil && len(b) == len(out) {
			return [4]byte(b), nil
		}
	case []any:
		ok := len(value) == len(out)
		for i := 0; ok && i < len(out); i++ {
			var n int64
			n, ok = value[i].(int64)
			ok = ok && 0 <= n && n <= 255
			out[i] = byte(n)
		}
		if ok {
			return out, nil
		}
	}
	return nil, &mismatch{raw, "give four numbers from 0 to 255, such as [217, 239, 182, 125]"}
}

func (l *loader) blacklistEntry(raw any) (any, error) {
	fail := func(reason string) (any, error) {
		return nil, &mismatch{raw, `give ["host", ["scheme"], [port]]: ` + reason}
	}
	parts, _ := raw.([]any)
	if len(parts) != 3 {
		return fail("all three parts are needed, the lists may be empty")
	}
	var entry p2p.BlacklistEntry
	entry.Host, _ = parts[0].(string)
	host, err := addr.Parse("tcp://" + entry.Host + "/")
	if _, hasPort := host.Port(); err != nil || hasPort || host != host.Public() || host.Path() != "/" {
		return fail("the host is a name or an address, IPv6 in brackets, without a port")
	}
	names, ok := parts[1].([]any)
	if !ok {
		return fail("the second part is a list of schemes")
	}
	for _, name := range names {
		scheme, _ := name.(string)
		if reason := l.unknownScheme(scheme); reason != "" {
			return fail(reason)
		}
		entry.Schemes = append(entry.Schemes, scheme)
	}
	numbers, ok := parts[2].([]any)
	if !ok {
		return fail("the third part is a list of ports")
	}
	for _, number := range numbers {
		port, ok := number.(int64)
		if !ok || port < 0 || port > 65535 {
			return fail("a port is a number from 0 to 65535")
		}
		entry.Ports = append(entry.Ports, uint16(port))
	}
	return entry, nil
}

// addMismatches notes what the decoder did not take: every leaf of the joined errors.
func (l *loader) addMismatches(err error) {
	for _, err := range unjoin(err) {
		var at *mapstructure.DecodeError
		var m *mismatch
		if errors.As(err, &at) && errors.As(err, &m) {
			key := l.keyOf(at.Name())
			remedy := m.remedy
			if strings.HasSuffix(key, "_socks5_proxy") {
				remedy = strings.Replace(remedy, "tcp://", "socks5://", 1)
			}
			l.addFault(key, literal(m.value), remedy)
		} else {
			l.addFileFault(Fault{Problem: err.Error()})
		}
	}
}

// keyOf turns the decoder's name of a value, such as net.profiles[tcp].peers[0], into its key.
func (l *loader) keyOf(name string) string {
	key := strings.NewReplacer("[", ".", "]", "").Replace(name)
	for rest := key; rest != ""; {
		if _, ok := l.known[rest]; ok {
			return rest
		}
		rest = rest[:max(0, strings.LastIndexByte(rest, '.'))]
	}
	return key
}

// literal writes a value about as it stands in TOML, short and without secrets.
func literal(value any) string {
	const most = 100
	var text string
	switch value := value.(type) {
	case string:
		text = quote(redact(value))
	case []any:
		parts := make([]string, 0, min(len(value), most))
		for _, v := range value[:cap(parts)] {
			parts = append(parts, literal(v))
		}
		text = "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		text = "{…}"
	default:
		text = fmt.Sprint(value)
	}
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return text
}
