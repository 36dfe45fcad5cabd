package settingsfx

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"dchat/chat"
	"dchat/p2p"
	"dchat/p2p/addr"
)

// mergeProfiles adds the active profiles to the settings of the network, in their order. A
// profile that is mixed or not active is ignored, as elsewhere; what a mixed one holds may be
// missed.
func (l *loader) mergeProfiles(tables *schema) {
	s, all := &l.P2P, tables.Net.Profiles
	tables.Net.Profiles = make(map[string]profileTable)
	s.Profiles = make(map[string]p2p.Profile)
	l.addAddresses(tables.Net.addresses)
	for _, key := range []struct {
		name   string
		scheme []string
	}{{"net.active_profiles", s.ActiveProfiles}, {"net.mixed_profiles", s.MixedProfiles}} {
		for _, scheme := range key.scheme {
			if problem := l.unknownScheme(scheme); problem != "" {
				l.check(key.name, quote(scheme), problem)
			}
		}
	}
	for i, scheme := range s.ActiveProfiles {
		if slices.Contains(s.MixedProfiles, scheme) || slices.Contains(s.ActiveProfiles[:i], scheme) || l.unknownScheme(scheme) != "" {
			continue
		}
		table, ok := all[scheme]
		if !ok {
			l.addFault("net.active_profiles", quote(scheme), "an active profile needs its table: add [net.profiles."+quote(scheme)+"], which may be empty")
			continue
		}
		defaults := p2p.DefaultProfile(scheme)
		table.ConnectTimeout = cmp.Or(table.ConnectTimeout, &defaults.ConnectTimeout)
		table.HandshakeTimeout = cmp.Or(table.HandshakeTimeout, &defaults.HandshakeTimeout)
		table.HeartbeatInterval = cmp.Or(table.HeartbeatInterval, &defaults.HeartbeatInterval)
		s.Profiles[scheme] = p2p.Profile{
			ConnectTimeout:    *table.ConnectTimeout,
			HandshakeTimeout:  *table.HandshakeTimeout,
			HeartbeatInterval: *table.HeartbeatInterval,
		}
		l.addAddresses(table.addresses)
		tables.Net.Profiles[scheme] = table
	}
	for _, scheme := range slices.Sorted(maps.Keys(all)) {
		if slices.Contains(s.MixedProfiles, scheme) && !reflect.ValueOf(all[scheme]).IsZero() {
			key := profilesKey + "." + scheme
			l.warn(l.origin(key), key+" has no effect, as "+scheme+" is a mixed profile: put its peers and seeds in [net]")
		}
	}
}

func (l *loader) addAddresses(a addresses) {
	l.P2P.Inbound = append(l.P2P.Inbound, a.Inbound...)
	l.P2P.ExternalAddrs = append(l.P2P.ExternalAddrs, a.ExternalAddrs...)
	l.P2P.Peers = append(l.P2P.Peers, a.Peers...)
	l.P2P.Seeds = append(l.P2P.Seeds, a.Seeds...)
}

// validate notes what is wrong with settings that have the right types.
func (l *loader) validate() {
	l.validateNode(&l.P2P, l.fields)
	l.validateDaemon()
	l.validateChat()
	l.warnOfMixed()
	l.warnOfHeartbeats()
	if len(l.P2P.ActiveProfiles) == 0 {
		l.warn(l.origin("net.active_profiles"), `net.active_profiles is empty: this node connects to nobody; try ["tcp", "tcp+tls"] and a table for each`)
	}
}

// warnOfMixed speaks of mixed profiles that are not what they are meant to be: a way to
// hide.
func (l *loader) warnOfMixed() {
	const key = "net.mixed_profiles"
	routes := l.P2P.Routes()
	for _, scheme := range l.P2P.MixedProfiles {
		sample := addr.FromIP(scheme, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), 1))
		endpoints, mixed := routes.Of(sample)
		outcome := "its addresses are not dialled"
		if len(endpoints) > 0 {
			outcome = "its addresses are dialled directly, and see where this node is"
		}
		if !mixed {
			l.warn(l.origin(key), fmt.Sprintf("%s has %s, which none of the active profiles carries: %s", key, quote(scheme), outcome))
		}
	}
}

// leastHeartbeat is the shortest time between pings that peers take without putting some of
// them off: four in ten seconds.
const leastHeartbeat = 3 * time.Second

// warnOfHeartbeats speaks of pings that would come so often that peers answer late, and are
// taken to be gone.
func (l *loader) warnOfHeartbeats() {
	for _, scheme := range slices.Sorted(maps.Keys(l.P2P.Profiles)) {
		if l.P2P.Profiles[scheme].HeartbeatInterval < leastHeartbeat {
			key := profilesKey + "." + scheme + ".channel_heartbeat_interval"
			l.warn(l.origin(key), key+" is so short that peers put off their answers, and connections may be taken to be lost: give 3 or more")
		}
	}
}

// validateNode looks at the settings of a network, which these fields fill.
func (l *loader) validateNode(s *p2p.Settings, fields []field) {
	for _, f := range fields {
		list, _ := f.value.Interface().([]addr.Addr)
		for _, a := range list {
			if problem := l.unknownScheme(a.Scheme()); problem != "" && a.Hostname() != "" {
				l.check(f.key, quote(a.Redacted()), problem)
			}
		}
	}
	for _, err := range unjoin(s.ValidateFor(l.transports)) {
		var at *p2p.SettingError
		if !errors.As(err, &at) {
			l.addFileFault(Fault{Problem: err.Error()})
			continue
		}
		key, value := locate(fields, at)
		l.check(key, value, at.Remedy)
	}
}

// validateDaemon looks at what every daemon has.
func (l *loader) validateDaemon() {
	if problem := rpcProblem(l.RPC.Listen); problem != "" {
		l.check("rpc.rpc_listen", quote(l.RPC.Listen.Redacted()), problem)
	}
	if err := l.Log.Validate(); err != nil {
		l.check("log.format", quote(l.Log.Format), `give "console" or "json"`) // the level has been parsed
	}
	ip, isIP := l.RPC.Listen.IP()
	private := l.RPC.Listen.Scheme() == "unix" || l.RPC.Listen.Hostname() == "localhost" || isIP && ip.IsLoopback()
	if !private {
		l.warn(l.origin("rpc.rpc_listen"), "rpc.rpc_listen is "+l.RPC.Listen.Redacted()+": whoever reaches it can "+l.power)
	}
}

// validateChat tries each setting alone, so that it is known which one is wrong.
func (l *loader) validateChat() {
	messages, size := chat.DefaultSettings(), chat.DefaultSettings()
	messages.HistoryMessages, size.HistoryBytes = l.Chat.HistoryMessages, l.Chat.HistoryBytes
	if err := messages.Validate(); err != nil {
		l.check("chat.history_messages", fmt.Sprint(l.Chat.HistoryMessages), remedyOf(err))
	}
	if err := size.Validate(); err != nil {
		l.check("chat.history_bytes", fmt.Sprint(l.Chat.HistoryBytes), remedyOf(err))
	}
}

// remedyOf is what follows the field and its value, which are said already.
func remedyOf(err error) string {
	if _, remedy, ok := strings.Cut(err.Error(), ": "); ok {
		return remedy
	}
	return err.Error()
}

// locate finds the key that a fault of the network settings is about, and its value as it stands in
// the file. Of the keys that hold addresses it is the one with that address. Without a key the name of the
// field has to serve.
func locate(fields []field, e *p2p.SettingError) (key, value string) {
	key, value = e.Field, e.Value
	for _, f := range fields {
		list, isAddresses := f.value.Interface().([]addr.Addr)
		switch {
		case slices.ContainsFunc(list, func(a addr.Addr) bool { return lastPart(f.name) == e.Field && shows(e.Value, a) }):
			return f.key, e.Value
		case f.name != e.Field:
		case isAddresses, e.Field == "Blacklist": // the value is an element
			key, value = f.key, e.Value
		default:
			key, value = f.key, tomlValue(f.value.Interface())
		}
	}
	return key, value
}

// shows tells whether the value in an error is that address, which may have been cut.
func shows(value string, a addr.Addr) bool {
	text := strconv.Quote(a.Redacted())
	beginning, cut := strings.CutSuffix(value, `…"`)
	return text == value || cut && strings.HasPrefix(text, beginning)
}

func rpcProblem(listen addr.Addr) string {
	_, hasPort := listen.Port()
	_, isFile := listen.FilePath()
	switch listen.Scheme() {
	case "unix":
		if !isFile {
			return "give unix:///absolute/path"
		}
	case "tcp", "http+tcp":
		if !hasPort || listen.Hostname() == "" {
			return "give " + listen.Scheme() + "://host:port"
		}
	default:
		return "give an address with tcp, http+tcp or unix"
	}
	return ""
}

// unjoin returns the errors that were joined, at any depth, or the one there is.
func unjoin(err error) []error {
	var joined interface{ Unwrap() []error }
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &joined):
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, unjoin(e)...)
	}
	return all
}
