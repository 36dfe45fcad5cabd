package settingsfx

import (
	"reflect"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"dchat/chat"
	"dchat/modules/logfx"
	"dchat/modules/rpcfx"
	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// Source says where the configuration comes from.
type Source struct {
	// Flags are those that Flags declared, parsed; nil is none.
	Flags *pflag.FlagSet

	// Env is the environment as name=value, such as os.Environ(). Beside the DCHAT_ variables,
	// LILITH_ for LoadLilith, it gives the home directory (HOME) and where configurations live (XDG_CONFIG_HOME).
	Env []string

	// ReadOnly writes no file. Where a default file would have been written its text is
	// used as if it were there; a file named with --config must exist.
	ReadOnly bool

	// Transports are those that the program gives its nodes, through the group
	// "transports" of p2pfx, beside the ones that all have: their schemes can stand in addresses and
	// among the profiles, where their name has no dot, and those that can listen in inbound.
	Transports []transport.Named

	again bool // the file has been read before
}

// Loaded is a configuration without faults.
type Loaded struct {
	P2P  p2p.Settings
	Chat chat.Settings
	RPC  rpcfx.Settings
	Log  logfx.Settings

	Report

	source Source
}

// Load reads the configuration. When there is no file it writes one with the defaults, at
// the path of --config or at $XDG_CONFIG_HOME/darkfi/dchatd_config.toml (~/.config without that
// variable), and goes on. The error is a *ConfigError with all faults there are. Load can
// be called again, and reads everything anew.
func Load(src Source) (*Loaded, error) {
	l := newLoader(src, dchatd)
	if text, ok := l.file(); ok {
		l.read(text)
	}
	if err := l.failure(); err != nil {
		return nil, err
	}
	l.source = src
	return &l.Loaded, nil
}

// failure is what is wrong with the configuration, if anything is.
func (l *loader) failure() error {
	if len(l.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(l.faults, compareFaults)
	return &ConfigError{Faults: l.faults}
}

// loader is a configuration on its way.
type loader struct {
	Loaded
	src Source
	program
	env    map[string]string
	layers *koanf.Koanf

	transports transport.Set           // of the nodes
	schemes    []string                // that addresses and profiles can have
	known      map[string]reflect.Type // the type of each key
	name       string                  // of the file, for people
	lines      map[string]int          // where its keys and tables stand
	faults     []Fault
}

func newLoader(src Source, p program) *loader {
	l := &loader{
		src:     src,
		program: p,
		env:     environment(src.Env),
		layers:  koanf.New("."),
		Loaded: Loaded{
			P2P:    p2p.DefaultSettings(),
			Chat:   chat.DefaultSettings(),
			RPC:    rpcfx.Settings{Listen: addr.MustParse("tcp://127.0.0.1:22222")},
			Log:    logfx.DefaultSettings(),
			Report: Report{Origins: make(map[string]Origin)},
		},
	}
	l.transports = transport.Default().With(src.Transports...)
	l.schemes = slices.Clone(schemes)
	for _, t := range src.Transports {
		l.schemes = append(l.schemes, t.Scheme)
	}
	l.known = keys(l.schemes)
	// A file that names no transport is one that dials nobody.
	l.P2P.ActiveProfiles, l.P2P.Profiles = nil, nil
	return l
}

// read loads the text of a file and the layers above it.
func (l *loader) read(text string) {
	if raw, ok := l.parseFile(text); ok {
		l.addFile(raw)
		l.loadEnv(l.known)
		l.loadFlags()
		l.decode()
	}
}

// decode turns the layers into settings, and notes every fault there is in them.
func (l *loader) decode() {
	tables := newSchema(&l.Loaded)
	tables.Net.Profiles = make(map[string]profileTable)
	// The decoder drops an entry of a map as a whole when there is a fault in it, so each is
	// decoded by itself.
	for _, scheme := range slices.Sorted(slices.Values(l.layers.MapKeys(profilesKey))) {
		var table profileTable
		l.unmarshal(profilesKey+"."+scheme, &table)
		tables.Net.Profiles[scheme] = table
	}
	l.layers.Delete(profilesKey)
	l.unmarshal("", &tables)
	l.expandHome()
	l.mergeProfiles(&tables)
	l.fields = tables.fields()
	l.validate()
}

const profilesKey = "net.profiles"

func (l *loader) unmarshal(key string, table any) {
	l.addMismatches(l.layers.UnmarshalWithConf(key, table, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		DecodeHook: mapstructure.DecodeHookFuncValue(l.strict),
		MatchName:  func(key, field string) bool { return key == field },
		RootName:   key,
	}}))
}

// addFault notes that a key, wherever it was set, has a wrong value.
func (l *loader) addFault(key, value, problem string) {
	l.faults = append(l.faults, Fault{Origin: l.origin(key), Key: key, Value: value, Problem: problem})
}

// check is addFault for a value that has the right type. Of one value only the first fault is noted, and
// none of an element of a list that the decoder has refused, which is empty now.
func (l *loader) check(key, value, problem string) {
	if !slices.ContainsFunc(l.faults, func(f Fault) bool { return f.Key == key && (f.Value == value || value == `""`) }) {
		l.addFault(key, value, problem)
	}
}

// origin tells where a key, or a table, was set.
func (l *loader) origin(key string) Origin {
	if origin, ok := l.Origins[key]; ok {
		return origin
	}
	if line, ok := l.lines[key]; ok {
		return Origin{Kind: FromFile, Name: l.name, Line: line}
	}
	return Origin{}
}

// warn notes something about a key that is no fault.
func (l *loader) warn(origin Origin, text string) {
	l.Warnings = append(l.Warnings, printable(origin.String()+": "+text))
}

func environment(env []string) map[string]string {
	vars := make(map[string]string, len(env))
	for _, e := range env {
		if name, value, ok := strings.Cut(e, "="); ok {
			vars[name] = value
		}
	}
	return vars
}
