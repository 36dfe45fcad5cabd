package p2p

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// SettingError says what is wrong with one field of Settings.
type SettingError struct {
	Field  string // the field's name, such as "OutboundConnections"
	Value  string // what it holds, safe to print
	Remedy string // what it should hold instead
}

// Error names the field, its value and the remedy.
func (e *SettingError) Error() string {
	return fmt.Sprintf("%s is %s: %s", e.Field, e.Value, e.Remedy)
}

// Validate returns every fault that the settings have for a node on
// transport.Default(), joined; each is a *SettingError. It looks at nothing
// outside the settings.
func (s *Settings) Validate() error { return s.ValidateFor(transport.Default()) }

// ValidateFor is Validate for a node on other transports.
func (s *Settings) ValidateFor(transports transport.Set) error {
	v := validator{}
	v.identity(s)
	v.limits(s)
	v.profiles(s)
	v.inbound(s, transports)
	v.addresses(s)
	v.proxies(s)
	v.check(s.BanPolicy == BanStrict || s.BanPolicy == BanRelaxed, "BanPolicy", string(s.BanPolicy), `use "strict" or "relaxed"`)
	for _, e := range s.Blacklist {
		_, err := hosts.NewBlacklist([]hosts.BlacklistEntry{e})
		var bad *hosts.BlacklistError
		if errors.As(err, &bad) {
			v.check(false, "Blacklist", e.Host, "name one host, with schemes and ports: "+bad.Reason)
		}
	}
	return errors.Join(v.faults...)
}

type validator struct{ faults []error }

func (v *validator) check(ok bool, field, value, remedy string) {
	if !ok {
		v.faults = append(v.faults, &SettingError{Field: field, Value: quote(value), Remedy: remedy})
	}
}

func (v *validator) within(field string, value, low, high int) {
	if value < low || value > high {
		v.check(false, field, fmt.Sprint(value), fmt.Sprintf("give a number from %d to %d", low, high))
	}
}

func (v *validator) lasts(field string, value, high time.Duration) {
	if value < time.Second || value > high {
		v.check(false, field, value.String(), fmt.Sprintf("give a time from 1s to %v", high))
	}
}

// identity checks what goes into every handshake, where peers would refuse it.
func (v *validator) identity(s *Settings) {
	v.check(s.AppName != "" && len(s.AppName) <= 64 && utf8.ValidString(s.AppName), "AppName", s.AppName, "give 1 to 64 bytes of UTF-8; peers must have the same name")
	v.check(len(s.NodeID) <= 256 && utf8.ValidString(s.NodeID), "NodeID", s.NodeID, "give at most 256 bytes of UTF-8, or nothing")
	parsed, err := wire.ParseSemver(s.AppVersion.String())
	verack := wire.Verack{AppVersion: s.AppVersion, AppName: s.AppName}
	fits := len(s.AppName) > 64 || len(verack.AppendPayload(nil)) <= verack.Spec().MaxPayload
	v.check(err == nil && parsed == s.AppVersion && fits, "AppVersion", s.AppVersion.String(), "give a version such as 0.4.1, short enough for a handshake")
}

func (v *validator) limits(s *Settings) {
	v.within("OutboundConnections", s.OutboundConnections, 0, 1024)
	v.within("InboundConnections", s.InboundConnections, 0, 65536)
	if s.GetAddrsMax != nil {
		v.within("GetAddrsMax", int(min(*s.GetAddrsMax, 1<<30)), 0, 1000)
	}
	v.within("KnownPeerPercent", s.KnownPeerPercent, 0, 100)
	v.within("MaxMessage", s.MaxMessage, 1<<10, 64<<20)
	v.within("SendQueue", s.SendQueue, 64<<10, 64<<20)
	v.lasts("WriteTimeout", s.WriteTimeout, time.Minute)
	v.lasts("DiscoveryCooloff", s.DiscoveryCooloff, 24*time.Hour)
	v.lasts("DiscoveryAttempt", s.DiscoveryAttempt, 24*time.Hour)
	v.lasts("RefineryInterval", s.RefineryInterval, 24*time.Hour)
	v.lasts("TimeWithNoConnections", s.TimeWithNoConnections, 24*time.Hour)
	v.lasts("BanTime", s.BanTime, 30*24*time.Hour)
}

func (v *validator) profiles(s *Settings) {
	for scheme, p := range s.Profiles {
		field := fmt.Sprintf("Profiles[%q]", scheme)
		v.lasts(field+".ConnectTimeout", p.ConnectTimeout, time.Hour)
		v.lasts(field+".HandshakeTimeout", p.HandshakeTimeout, time.Hour)
		v.lasts(field+".HeartbeatInterval", p.HeartbeatInterval, 24*time.Hour)
	}
}

func (v *validator) inbound(s *Settings, transports transport.Set) {
	for _, a := range s.Inbound {
		schemes := transports.Listening()
		v.check(slices.Contains(schemes, a.Scheme()), "Inbound", a.Redacted(), "listen on one of "+strings.Join(schemes, ", "))
		v.port("Inbound", a, true)
	}
}

func (v *validator) addresses(s *Settings) {
	for _, a := range s.ExternalAddrs {
		if a.Scheme() == addr.Unix {
			v.check(false, "ExternalAddrs", a.Redacted(), "leave it out: nobody can reach a unix socket from outside, and its path is not for others to know")
			continue
		}
		listens := slices.ContainsFunc(s.Inbound, func(inbound addr.Addr) bool { return inbound.Scheme() == a.Scheme() })
		v.port("ExternalAddrs", a, listens)
	}
	v.check(len(s.ExternalAddrs) <= mostExternal, "ExternalAddrs", fmt.Sprint(len(s.ExternalAddrs), " addresses"), "give at most 10: more do not fit in a handshake")
	for _, a := range s.Peers {
		v.port("Peers", a, false)
		v.check(!slices.ContainsFunc(s.Inbound, func(inbound addr.Addr) bool { return sameSocket(inbound, a) }), "Peers", a.Redacted(), "take it out: it is where this node listens itself")
		for _, seed := range s.Seeds {
			v.check(a != seed, "Peers", a.Redacted(), "an address is either a peer or a seed: take it out of one of the two")
		}
	}
	for _, a := range s.Seeds {
		v.port("Seeds", a, false)
	}
}

// proxies checks where other networks are reached.
func (v *validator) proxies(s *Settings) {
	for field, a := range map[string]addr.Addr{"TorSocks5Proxy": s.TorSocks5Proxy, "NymSocks5Proxy": s.NymSocks5Proxy, "I2PSocks5Proxy": s.I2PSocks5Proxy} {
		port, _ := a.Port()
		v.check(a.IsZero() || port != 0 && transport.CheckProxy(a) == nil, field, a.Redacted(), "write it as socks5://host:port, or socks5://user:password@host:port")
	}
}

// port wants an address with a host and a port, one with the path of a socket, or one that
// leads through a proxy to where something can be.
func (v *validator) port(field string, a addr.Addr, zeroToo bool) {
	if a.Scheme() == addr.Unix {
		if _, err := transport.SocketPath(a); err != nil {
			v.check(false, field, a.Redacted(), err.Error())
		}
		return
	}
	port, ok := a.Port()
	if ok = a.Hostname() != "" && ok && (port != 0 || zeroToo); !ok {
		v.check(false, field, a.Redacted(), "write it as scheme://host:port")
	} else if err := transport.CheckAddr(a); err != nil {
		v.check(false, field, a.Redacted(), err.Error())
	}
}

// sameSocket tells whether two addresses are of the same unix socket. Nobody could tell
// by its ends that a connection to it is one to ourselves.
func sameSocket(a, b addr.Addr) bool {
	path, ok := a.FilePath()
	other, too := b.FilePath()
	return ok && too && path == other
}

// quote makes a value safe to print in one line.
func quote(s string) string {
	const most = 120
	if len(s) > most {
		s = s[:most] + "…"
	}
	return fmt.Sprintf("%q", s)
}
