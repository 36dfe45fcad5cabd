package settingsfx

import (
	"strings"

	"github.com/spf13/pflag"
)

const verboseFlag = "verbose"

// flagKeys are the keys that flags set.
var flagKeys = map[string]string{
	"log":                  "log.file",
	"log-format":           "log.format",
	verboseFlag:            "log.level",
	"rpc-listen":           "rpc.rpc_listen",
	"rpc-disabled-methods": "rpc.rpc_disabled_methods",
	"accept":               "net.inbound",
	"outbound-slots":       "net.outbound_connections",
	"inbound-slots":        "net.inbound_connections",
	"external-addrs":       "net.external_addrs",
	"port-mapping":         "net.port_mapping",
	"peers":                "net.peers",
	"seeds":                "net.seeds",
	"network-profiles":     "net.active_profiles",
	"mixed-profiles":       "net.mixed_profiles",
	"tor-socks5-proxy":     "net.tor_socks5_proxy",
	"nym-socks5-proxy":     "net.nym_socks5_proxy",
	"i2p-socks5-proxy":     "net.i2p_socks5_proxy",
	"localnet":             "net.localnet",
	"p2p-datastore":        "net.p2p_datastore",
	"hostlist":             "net.hostlist",
	"disable-greys":        "net.disable_greys",
	"ban-time":             "net.ban_time",
	"dial-names":           "net.dial_names",
}

// Flags declares the flags that Load reads. Any text is accepted where a value is parsed: what
// is wrong with it Load says, together with the other faults.
func Flags(fs *pflag.FlagSet) {
	fs.StringP("config", "c", "", "read this `FILE`; it is written with the defaults if it is missing (default: dchatd_config.toml in ~/.config/darkfi)")
	fs.CountP(verboseFlag, "v", "log more: debug instead of info")
	value := func(name, short, usage string) { fs.VarPF(&flagValue{}, name, short, usage) }
	list := func(name, usage string) {
		fs.VarPF(&flagValue{list: true}, name, "", usage+" (several: with commas, or the flag again)")
	}
	toggle := func(name, usage string) {
		fs.VarPF(&flagValue{bool: true}, name, "", usage).NoOptDefVal = "true"
	}
	value("log", "l", "append the log to this `FILE` instead of writing it to standard error")
	value("log-format", "", "log in this `FORMAT`: console for people, json for programs")
	value("rpc-listen", "", "answer JSON-RPC at this `URL`: tcp, http+tcp or unix")
	list("rpc-disabled-methods", "do not answer these JSON-RPC `METHODS`")
	list("accept", "listen for peers at these `URLS`")
	list("external-addrs", "tell peers that this node is reached at these `URLS`")
	toggle("port-mapping", "ask the router to pass connections on to this node, and tell peers where it does")
	list("peers", "stay connected to these `URLS`")
	list("seeds", "ask these `URLS` for the addresses of others")
	value("outbound-slots", "", "keep this `NUMBER` of connections to addresses that were found")
	value("inbound-slots", "", "take this `NUMBER` of connections at each address")
	list("network-profiles", "dial by these `TRANSPORTS`; each has its table in the file")
	list("mixed-profiles", "reach these `TRANSPORTS` through others that are active")
	value("tor-socks5-proxy", "", "reach Tor through the proxy at this `URL`")
	value("nym-socks5-proxy", "", "reach Nym through the proxy at this `URL`")
	value("i2p-socks5-proxy", "", "reach I2P through the proxy at this `URL`")
	toggle("localnet", "accept private and loopback addresses from others")
	value("p2p-datastore", "", "keep the node's files in this `DIRECTORY`")
	value("hostlist", "", "keep known addresses in this `FILE`")
	toggle("disable-greys", "connect only to addresses that have been tried")
	value("ban-time", "", "refuse a peer that breaks the protocol for so many `SECONDS`")
	toggle("dial-names", "connect to addresses from others also when they are DNS names")
}

// flagValue keeps the text of a flag.
type flagValue struct {
	text       string
	list, bool bool
}

func (v *flagValue) String() string { return v.text }

// Set takes the text, or adds it to a list.
func (v *flagValue) Set(text string) error {
	if v.list && v.text != "" {
		text = v.text + "," + strings.TrimPrefix(text, ",")
	}
	v.text = text
	return nil
}

// Type is what the help shows where the usage names nothing.
func (v *flagValue) Type() string {
	if v.bool {
		return "bool"
	}
	return "text"
}
