package settingsfx

import (
	_ "embed"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"dchat/modules/logfx"
	"dchat/modules/rpcfx"
	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/wire"
)

//go:embed lilith.toml
var lilithFile string

var lilith = program{fileName: "lilith_config.toml", envPrefix: "LILITH_", defaultFile: lilithFile, power: "list the addresses it knows"}

// LoadedLilith is a configuration of the seed daemon without faults.
type LoadedLilith struct {
	Networks []Network // at least one, by their names
	RPC      rpcfx.Settings
	Log      logfx.Settings

	Report

	source Source
}

// Network is one of the networks that a seed daemon serves.
type Network struct {
	Name string // 1 to 64 letters, digits, "-" and "_"
	P2P  p2p.Settings
}

// LilithFlags declares the flags that LoadLilith reads.
func LilithFlags(fs *pflag.FlagSet) {
	fs.StringP("config", "c", "", "read this `FILE`; it is written with the defaults if it is missing (default: lilith_config.toml in ~/.config/darkfi)")
	fs.CountP(verboseFlag, "v", "log more: debug instead of info")
	fs.VarPF(&flagValue{}, "log", "l", "append the log to this `FILE` instead of writing it to standard error")
	fs.VarPF(&flagValue{}, "rpc-listen", "", "answer JSON-RPC at this `URL`: tcp, http+tcp or unix")
}

// LoadLilith reads the configuration of the seed daemon, as Load does that of a node. The
// file without --config is $XDG_CONFIG_HOME/darkfi/lilith_config.toml, and variables begin with
// LILITH_; they change the networks that are in the file, and add none. The error is a *ConfigError with all faults there are.
func LoadLilith(src Source) (*LoadedLilith, error) {
	l := newLoader(src, lilith)
	l.RPC.Listen = addr.MustParse("tcp://127.0.0.1:18927")
	var networks []Network
	if text, ok := l.file(); ok {
		networks = l.readLilith(text)
	}
	if err := l.failure(); err != nil {
		return nil, err
	}
	return &LoadedLilith{Networks: networks, RPC: l.RPC, Log: l.Log, Report: l.Report, source: src}, nil
}

// lilithSchema is what the file of the seed daemon has beside its networks.
type lilithSchema struct {
	RPC rpcTable `koanf:"rpc"`
	Log logTable `koanf:"log"`
}

// networkTable is the table of one network. Its fields are named as in p2p.Settings, into which
// those that are pointers point.
type networkTable struct {
	Inbound    []addr.Addr  `koanf:"accept_addrs"`
	Seeds      []addr.Addr  `koanf:"seeds"`
	Peers      []addr.Addr  `koanf:"peers"`
	AppVersion *wire.Semver `koanf:"version"`
	AppName    *string      `koanf:"app_name"`
	Localnet   *bool        `koanf:"localnet"`
	Hostlist   *string      `koanf:"hostlist"`
	Datastore  *string      `koanf:"datastore"`
	MagicBytes *[4]byte     `koanf:"magic_bytes"`
}

const (
	networksKey = "network"
	// anyNetwork stands for a network in what is said about keys that are in none.
	anyNetwork = "NAME"
	// seedSlots is how many connections each address of a seed takes.
	seedSlots = 512
)

// readLilith loads the text of a file and the flags, and notes every fault there is in them.
func (l *loader) readLilith(text string) []Network {
	raw, ok := l.parseFile(text)
	if !ok {
		return nil
	}
	tables := lilithSchema{
		RPC: rpcTable{Listen: &l.RPC.Listen, Disabled: &l.RPC.Disabled},
		Log: logTable{Level: &l.Log.Level, Format: &l.Log.Format, File: &l.Log.File},
	}
	l.fields = appendFields(nil, reflect.ValueOf(&tables).Elem(), "", "")
	l.known = types(l.fields)
	l.knowNetworks(raw)
	variables := maps.Clone(l.known) // those of the networks that there are
	maps.Copy(l.known, types(networkFields(anyNetwork, &networkTable{})))
	l.addFile(raw)
	l.loadEnv(variables)
	l.loadFlags()

	var networks []Network
	for _, name := range slices.Sorted(slices.Values(l.layers.MapKeys(networksKey))) {
		networks = append(networks, l.decodeNetwork(name))
	}
	l.layers.Delete(networksKey)
	l.unmarshal("", &tables)
	l.expandSetting("log.file", &l.Log.File)
	l.validateDaemon()
	l.validateNetworks(networks)
	return networks
}

// knowNetworks adds the keys of the networks that are in a file, and takes out those with names
// that would not do for a key, a directory and the log.
func (l *loader) knowNetworks(raw map[string]any) {
	networks, _ := raw[networksKey].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(networks)) {
		if !isNetworkName(name) {
			l.addFault(networksKey+"."+name, "", `a network has a name of 1 to 64 letters, digits, "-" and "_"`)
			l.faults[len(l.faults)-1].Key = networksKey + "." + quote(name)
			delete(networks, name)
			continue
		}
		maps.Copy(l.known, types(networkFields(name, &networkTable{})))
	}
}

func isNetworkName(name string) bool {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return 0 < len(name) && len(name) <= 64 && strings.Trim(name, allowed) == ""
}

func networkFields(name string, table *networkTable) []field {
	return appendFields(nil, reflect.ValueOf(table).Elem(), networksKey+"."+name+".", "")
}

// decodeNetwork makes settings of the table of a network.
func (l *loader) decodeNetwork(name string) Network {
	key := networksKey + "." + name
	n := Network{Name: name, P2P: seedSettings()}
	n.P2P.Datastore = "~/.local/share/darkfi/lilith/" + name
	table := networkTable{
		AppVersion: &n.P2P.AppVersion,
		AppName:    &n.P2P.AppName,
		Localnet:   &n.P2P.Localnet,
		Hostlist:   &n.P2P.Hostlist,
		Datastore:  &n.P2P.Datastore,
		MagicBytes: &n.P2P.MagicBytes,
	}
	l.unmarshal(key, &table)
	n.P2P.Inbound, n.P2P.Seeds, n.P2P.Peers = table.Inbound, table.Seeds, table.Peers
	l.expandSetting(key+".datastore", &n.P2P.Datastore)
	if _, set := l.Origins[key+".hostlist"]; !set && n.P2P.Datastore != "" {
		n.P2P.Hostlist = filepath.Join(n.P2P.Datastore, "hostlist.tsv")
	}
	l.expandSetting(key+".hostlist", &n.P2P.Hostlist)
	fields := networkFields(name, &table)
	l.validateNode(&n.P2P, fields)
	l.fields = append(l.fields, fields...)
	return n
}

// seedSettings are those of a seed of any network: it connects to nobody but to find out who
// answers, and bans nobody.
func seedSettings() p2p.Settings {
	s := p2p.DefaultSettings() // with all transports there are
	s.SeedNode = true
	s.OutboundConnections = 0
	s.InboundConnections = seedSlots
	s.BanPolicy = p2p.BanRelaxed
	return s
}
