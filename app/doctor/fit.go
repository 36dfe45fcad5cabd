package doctor

import (
	"fmt"
	"slices"
	"strings"

	"dchat/p2p/addr"
	"dchat/p2p/hosts"
	"dchat/p2p/transport"
)

// unfit says why the node never dials an address.
func (e *examination) unfit(a addr.Addr) *fault {
	if why := malformed(a); why != nil {
		return why
	}
	if why := e.unrouted(a); why != nil {
		return why
	}
	if slices.Contains(e.Settings.ExternalAddrs, a) || slices.Contains(e.inbound(), a) {
		return &fault{"it is an address of this node itself", "Take it from the configuration: nothing comes of it."}
	}
	if blacklist, err := hosts.NewBlacklist(e.Settings.Blacklist); err == nil && blacklist.Has(a) {
		return &fault{"it is on your blacklist", "Take it from the blacklist in the configuration."}
	}
	if e.Node != nil && e.Node.Hosts().Refused(a) {
		return &fault{"this node has banned it", "See `dchat bans` for the reason and how to lift it."}
	}
	return nil
}

// malformed says why an address leads nowhere, whoever dials it.
func malformed(a addr.Addr) *fault {
	destination := a
	if through, ok := a.Destination(); ok && strings.HasPrefix(a.Scheme(), addr.Socks5) {
		destination = through
	}
	host := strings.ToLower(destination.Hostname())
	if label, ok := strings.CutSuffix(host, ".onion"); ok && !addr.IsOnion(host) {
		const letters = 56
		if len(label) != letters {
			return &fault{fmt.Sprintf("the onion name has %d letters and digits before .onion, and not %d", len(label), letters),
				"Copy the whole name again: some of it is missing, or doubled."}
		}
		return &fault{"the checksum in the onion name is wrong", "A character of the name is probably wrong: copy it again, or compare it with the original."}
	}
	err := transport.CheckAddr(a)
	if a.Scheme() == addr.Unix {
		_, err = transport.SocketPath(a)
	}
	if err != nil {
		return &fault{err.Error(), "Correct the address in the configuration."}
	}
	return nil
}

// unrouted says why there is no way to an address.
func (e *examination) unrouted(a addr.Addr) *fault {
	scheme, routes := a.Scheme(), e.Settings.Routes()
	endpoints, _ := routes.Of(a)
	served := func(a addr.Addr) bool { return e.Transports[a.Scheme()] != nil }
	switch {
	case slices.ContainsFunc(endpoints, served):
		return nil
	case len(endpoints) > 0:
		return e.noTransport(endpoints[0].Scheme())
	case slices.Contains(e.Settings.MixedProfiles, scheme):
		return &fault{fmt.Sprintf("%q is a mixed profile, and no active one carries it", scheme), carriedBy(scheme)}
	case !served(a):
		return e.noTransport(scheme)
	}
	advice := fmt.Sprintf("Add %q to active_profiles and the table [net.profiles.%[1]q] to the configuration.", scheme)
	switch {
	case !e.hides():
	case scheme == addr.TCP || scheme == addr.TCPTLS:
		advice = fmt.Sprintf("Add %q to mixed_profiles: then it is dialled through what this node hides behind.", scheme)
	case scheme == addr.QUIC:
		advice = "No proxy carries it, and to dial it directly would show where this node is. Take an address of another kind."
	}
	return &fault{fmt.Sprintf("%q is not among the active profiles", scheme), advice}
}

func (e *examination) noTransport(scheme string) *fault {
	advice := "Write the address with one of " + strings.Join(e.Transports.Schemes(), ", ") + "."
	if scheme == addr.Nym || scheme == addr.NymTLS {
		advice = "Nym carries tcp and tcp+tls: write the address with one of them, make that a mixed profile and socks5 an active one, and set net.nym_socks5_proxy."
	}
	return &fault{fmt.Sprintf("this program has no transport %q", scheme), advice}
}

// carriedBy says what to do so that a mixed scheme is carried.
func carriedBy(scheme string) string {
	base, tls := strings.CutSuffix(scheme, "+tls")
	suffix := ""
	if tls {
		suffix = "+tls"
	}
	switch base {
	case addr.TCP:
		return fmt.Sprintf("Add %q to active_profiles and the table [net.profiles.%[1]q] to the configuration; or %q, which needs net.tor_socks5_proxy or net.nym_socks5_proxy as well.",
			addr.Tor+suffix, addr.Socks5+suffix)
	case addr.Tor:
		return fmt.Sprintf("Take it out of mixed_profiles and into active_profiles, with the table [net.profiles.%q].", scheme)
	default:
		return fmt.Sprintf("Only tcp and tor, with and without +tls, can be mixed profiles: take %q out of mixed_profiles.", scheme)
	}
}
