package settingsfx

import (
	"encoding"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	tomlparser "github.com/knadh/koanf/parsers/toml/v2"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/pflag"
)

// parseFile reads the text of the file. It is false when the text is not TOML, which leaves
// nothing to look at.
func (l *loader) parseFile(text string) (raw map[string]any, ok bool) {
	file := koanf.New(".")
	if err := file.Load(rawbytes.Provider([]byte(text)), tomlparser.Parser()); err != nil {
		f := Fault{Problem: "not TOML: " + strings.TrimPrefix(err.Error(), "toml: ")}
		var at *toml.DecodeError
		if errors.As(err, &at) {
			f.Origin.Line, _ = at.Position()
		}
		l.addFileFault(f)
		return nil, false
	}
	l.lines = lines([]byte(text))
	return file.Raw(), true
}

// addFile adds the layer of the file, without what is unknown in it.
func (l *loader) addFile(raw map[string]any) {
	l.keepKnown(raw, "")
	l.load(confmap.Provider(raw, ""))
}

// keepKnown takes out of a table what is not known and notes it.
func (l *loader) keepKnown(table map[string]any, prefix string) {
	for _, name := range slices.Sorted(maps.Keys(table)) {
		key := prefix + name
		subtable, isTable := table[name].(map[string]any)
		_, isKey := l.known[key]
		switch advice, isLegacy := legacy(key, name); {
		case isLegacy:
			l.warn(l.origin(key), key+" "+advice)
		case strings.Contains(name, "."): // in quotes: not the key that it looks like
			l.addUnknown(key, prefix+quote(name), isTable)
		case isKey:
			l.Origins[key] = l.origin(key)
			continue
		case !isTableName(l.known, key):
			l.addUnknown(key, key, isTable)
		case !isTable:
			l.addFault(key, literal(table[name]), "this is the name of a table: write ["+key+"]")
		default:
			l.keepKnown(subtable, key+".")
			continue
		}
		delete(table, name)
	}
}

func (l *loader) addUnknown(key, shown string, isTable bool) {
	candidates, what := tableNames(l.known), "unknown table"
	if !isTable {
		candidates, what = slices.AppendSeq(candidates, maps.Keys(l.known)), "unknown key"
	}
	l.addFault(key, "", what+"; the nearest known one is "+nearest(key, candidates))
	l.faults[len(l.faults)-1].Key = shown
}

// legacy keys stand in files that work elsewhere. They have no effect.
func legacy(key, name string) (advice string, ok bool) {
	switch {
	case key == "rpc_listen":
		return "has no effect outside of a table: put it under [rpc]", true
	case key == "verbose":
		return "has no effect: use level under [log], or the flag -v", true
	case name == "gold_connect_count", name == "white_connect_percent":
		return "has no effect any more: see known_peer_percent", true
	case key == "net.outbound_connect_timeout", key == "net.channel_handshake_timeout", key == "net.channel_heartbeat_interval":
		return "has no effect here: put it under [net.profiles.NAME]", true
	}
	return "", false
}

// clientEnv is for the dchat command: where its daemon is.
const clientEnv = "DCHAT_ENDPOINT"

// loadEnv adds the layer of the environment, which sets these keys.
func (l *loader) loadEnv(keys map[string]reflect.Type) {
	byName := make(map[string][]string, len(keys))
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		byName[l.envName(key)] = append(byName[l.envName(key)], key)
	}
	l.load(env.Provider(".", env.Opt{
		Prefix:      l.envPrefix,
		EnvironFunc: func() []string { return l.src.Env },
		TransformFunc: func(name, text string) (string, any) {
			origin := Origin{Kind: FromEnv, Name: name}
			switch named := byName[name]; {
			case text == "" || name == clientEnv:
			case len(named) == 1:
				l.Origins[named[0]] = origin
				return named[0], fromText(keys[named[0]], text)
			case len(named) > 1:
				problem := "this is " + strings.Join(named, " and ") + ": set them in the file"
				l.faults = append(l.faults, Fault{Origin: origin, Problem: problem})
			case strings.Contains(name, "__"):
				problem := "no such setting; the nearest one is " + nearest(name, slices.Collect(maps.Keys(byName)))
				l.faults = append(l.faults, Fault{Origin: origin, Problem: problem})
			default: // not of our making, perhaps: container platforms set DCHAT_PORT and the like
				l.warn(origin, "has no effect: a setting has its table in its name, as "+l.envName("log.level"))
			}
			return "", nil
		},
	}))
}

// envName is the variable that sets a key.
func (p program) envName(key string) string {
	return p.envPrefix + strings.ToUpper(strings.NewReplacer(".", "__", "+", "_", "-", "_").Replace(key))
}

// loadFlags adds the layer of the flags that were given.
func (l *loader) loadFlags() {
	if l.src.Flags == nil {
		return
	}
	l.load(posflag.ProviderWithFlag(l.src.Flags, ".", nil, func(flag *pflag.Flag) (string, any) {
		key, text := flagKeys[flag.Name], flag.Value.String()
		if key == "" || !flag.Changed {
			return "", nil
		}
		if flag.Name == verboseFlag {
			text = "debug"
		}
		l.Origins[key] = Origin{Kind: FromFlag, Name: "--" + flag.Name}
		return key, fromText(l.known[key], text)
	}))
}

// load adds a layer; the providers that are used read memory, which does not fail.
func (l *loader) load(p koanf.Provider) {
	if err := l.layers.Load(p, nil); err != nil {
		l.addFileFault(Fault{Problem: err.Error()})
	}
}

// fromText gives the text of a variable or a flag the type that TOML would have given it. What
// is not of that type stays a text, which is then refused.
func fromText(t reflect.Type, text string) any {
	isList := t.Kind() == reflect.Slice || t.Kind() == reflect.Array
	if isList && strings.HasPrefix(text, "[") {
		var doc struct{ List []any }
		if toml.Unmarshal([]byte("List = "+text), &doc) == nil {
			return doc.List
		}
		return text
	}
	if _, isText := reflect.New(t).Interface().(encoding.TextUnmarshaler); isText {
		return text
	}
	switch t.Kind() {
	case reflect.Slice:
		return splitList(text)
	case reflect.Bool:
		if b, err := strconv.ParseBool(text); err == nil {
			return b
		}
	case reflect.Int, reflect.Int64, reflect.Uint32:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	default:
	}
	return text
}

func splitList(text string) []any {
	list := []any{}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}
