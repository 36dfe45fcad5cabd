package settingsfx

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/wire"
)

// schema is the configuration file. A table is a struct, and a field that is a pointer points
// into the settings that it fills, so that what is not set keeps its default. The fields of
// netTable are named as in p2p.Settings, which names them when it finds them wrong.
type schema struct {
	RPC  rpcTable  `koanf:"rpc"`
	Net  netTable  `koanf:"net"`
	Chat chatTable `koanf:"chat"`
	Log  logTable  `koanf:"log"`
}

type rpcTable struct {
	Listen   *addr.Addr `koanf:"rpc_listen"`
	Disabled *[]string  `koanf:"rpc_disabled_methods"`
}

type netTable struct {
	ActiveProfiles        *[]string             `koanf:"active_profiles"`
	MixedProfiles         *[]string             `koanf:"mixed_profiles"`
	OutboundConnections   *int                  `koanf:"outbound_connections"`
	InboundConnections    *int                  `koanf:"inbound_connections"`
	MagicBytes            *[4]byte              `koanf:"magic_bytes"`
	Localnet              *bool                 `koanf:"localnet"`
	NodeID                *string               `koanf:"node_id"`
	Hostlist              *string               `koanf:"hostlist"`
	Datastore             *string               `koanf:"p2p_datastore"`
	GetAddrsMax           **uint32              `koanf:"getaddrs_max"`
	DiscoveryCooloff      *time.Duration        `koanf:"outbound_peer_discovery_cooloff_time"`
	DiscoveryAttempt      *time.Duration        `koanf:"outbound_peer_discovery_attempt_time"`
	RefineryInterval      *time.Duration        `koanf:"greylist_refinery_interval"`
	KnownPeerPercent      *int                  `koanf:"known_peer_percent"`
	DisableGreys          *bool                 `koanf:"disable_greys"`
	TimeWithNoConnections *time.Duration        `koanf:"time_with_no_connections"`
	BanPolicy             *p2p.BanPolicy        `koanf:"ban_policy"`
	BanTime               *time.Duration        `koanf:"ban_time"`
	Blacklist             *[]p2p.BlacklistEntry `koanf:"blacklist"`
	DialNames             *bool                 `koanf:"dial_names"`
	TorSocks5Proxy        *addr.Addr            `koanf:"tor_socks5_proxy"`
	NymSocks5Proxy        *addr.Addr            `koanf:"nym_socks5_proxy"`
	I2PSocks5Proxy        *addr.Addr            `koanf:"i2p_socks5_proxy"`
	AppName               *string               `koanf:"app_name"`
	AppVersion            *wire.Semver          `koanf:"app_version"`
	MaxMessage            *int                  `koanf:"max_message"`
	SendQueue             *int                  `koanf:"send_queue"`
	WriteTimeout          *time.Duration        `koanf:"write_timeout"`
	HideFeatures          *bool                 `koanf:"hide_features"`
	PortMapping           *bool                 `koanf:"port_mapping"`

	addresses `koanf:",squash"`
	Profiles  map[string]profileTable `koanf:"profiles"`
}

type profileTable struct {
	addresses `koanf:",squash"`

	// nil: the default of the scheme
	ConnectTimeout    *time.Duration `koanf:"outbound_connect_timeout"`
	HandshakeTimeout  *time.Duration `koanf:"channel_handshake_timeout"`
	HeartbeatInterval *time.Duration `koanf:"channel_heartbeat_interval"`
}

// addresses may stand in [net] and in a profile.
type addresses struct {
	Inbound       []addr.Addr `koanf:"inbound"`
	ExternalAddrs []addr.Addr `koanf:"external_addrs"`
	Peers         []addr.Addr `koanf:"peers"`
	Seeds         []addr.Addr `koanf:"seeds"`
}

type chatTable struct {
	HistoryMessages *int `koanf:"history_messages"`
	HistoryBytes    *int `koanf:"history_bytes"`
}

type logTable struct {
	Level  *zapcore.Level `koanf:"level"`
	Format *string        `koanf:"format"`
	File   *string        `koanf:"file"`
}

// newSchema returns the schema that fills l.
func newSchema(l *Loaded) schema {
	s := &l.P2P
	return schema{
		RPC:  rpcTable{Listen: &l.RPC.Listen, Disabled: &l.RPC.Disabled},
		Chat: chatTable{HistoryMessages: &l.Chat.HistoryMessages, HistoryBytes: &l.Chat.HistoryBytes},
		Log:  logTable{Level: &l.Log.Level, Format: &l.Log.Format, File: &l.Log.File},
		Net: netTable{
			ActiveProfiles:        &s.ActiveProfiles,
			MixedProfiles:         &s.MixedProfiles,
			OutboundConnections:   &s.OutboundConnections,
			InboundConnections:    &s.InboundConnections,
			MagicBytes:            &s.MagicBytes,
			Localnet:              &s.Localnet,
			NodeID:                &s.NodeID,
			Hostlist:              &s.Hostlist,
			Datastore:             &s.Datastore,
			GetAddrsMax:           &s.GetAddrsMax,
			DiscoveryCooloff:      &s.DiscoveryCooloff,
			DiscoveryAttempt:      &s.DiscoveryAttempt,
			RefineryInterval:      &s.RefineryInterval,
			KnownPeerPercent:      &s.KnownPeerPercent,
			DisableGreys:          &s.DisableGreys,
			TimeWithNoConnections: &s.TimeWithNoConnections,
			BanPolicy:             &s.BanPolicy,
			BanTime:               &s.BanTime,
			Blacklist:             &s.Blacklist,
			DialNames:             &s.DialNames,
			TorSocks5Proxy:        &s.TorSocks5Proxy,
			NymSocks5Proxy:        &s.NymSocks5Proxy,
			I2PSocks5Proxy:        &s.I2PSocks5Proxy,
			AppName:               &s.AppName,
			AppVersion:            &s.AppVersion,
			MaxMessage:            &s.MaxMessage,
			SendQueue:             &s.SendQueue,
			WriteTimeout:          &s.WriteTimeout,
			HideFeatures:          &s.HideFeatures,
			PortMapping:           &s.PortMapping,
		},
	}
}

// schemes are the transports that a profile can be of, in every program.
var schemes = []string{"tcp", "tcp+tls", "quic", "unix", "socks5", "socks5+tls", "i2p", "i2p+tls", "tor", "tor+tls", "nym", "nym+tls"}

// field is one key of the file.
type field struct {
	key   string        // "net.profiles.tcp.peers"
	name  string        // in p2p.Settings and its errors: `Profiles["tcp"].Peers`
	value reflect.Value // what it is set to; a nil pointer when that is nothing
}

// fields returns every key of the schema, in its order; of the profiles those that are in it.
func (s *schema) fields() []field {
	return appendFields(nil, reflect.ValueOf(s).Elem(), "", "")
}

func appendFields(fields []field, table reflect.Value, key, name string) []field {
	for i := range table.NumField() {
		tag, squash := strings.CutSuffix(table.Type().Field(i).Tag.Get("koanf"), ",squash")
		value, subkey, subname := table.Field(i), key+tag, name+table.Type().Field(i).Name
		switch {
		case squash:
			fields = appendFields(fields, value, key, name)
		case value.Kind() == reflect.Struct:
			fields = appendFields(fields, value, subkey+".", "")
		case value.Kind() == reflect.Map:
			profiles := value.Interface().(map[string]profileTable)
			for _, p := range slices.Sorted(maps.Keys(profiles)) {
				fields = appendFields(fields, reflect.ValueOf(profiles[p]), subkey+"."+p+".", fmt.Sprintf("%s[%q].", subname, p))
			}
		default:
			fields = append(fields, field{key: subkey, name: subname, value: value})
		}
	}
	return fields
}

// keys are all keys that a file may have, with the types of their values, where these are
// the transports.
func keys(schemes []string) map[string]reflect.Type {
	s := newSchema(&Loaded{})
	s.Net.Profiles = make(map[string]profileTable)
	for _, scheme := range schemes {
		s.Net.Profiles[scheme] = profileTable{}
	}
	return types(s.fields())
}

// types are the keys of fields with the types of their values.
func types(fields []field) map[string]reflect.Type {
	known := make(map[string]reflect.Type)
	for _, f := range fields {
		t := f.value.Type()
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		known[f.key] = t
	}
	return known
}
