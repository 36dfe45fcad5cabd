package hosts

import (
	"slices"

	"dchat/p2p/addr"
)

// Dialable returns the schemes of the addresses that a node can dial: the
// active ones, then those of the mixed ones that an active one can carry. For
// socks5 to carry anything there must be a proxy to Tor or to Nym.
func Dialable(active, mixed []string, torProxy, nymProxy bool) []string {
	schemes := slices.Clone(active)
	for _, s := range mixed {
		if !slices.Contains(schemes, s) && slices.ContainsFunc(carriers(s, torProxy, nymProxy), func(c string) bool {
			return slices.Contains(active, c)
		}) {
			schemes = append(schemes, s)
		}
	}
	return schemes
}

// carriers are the schemes over which addresses of another can be dialled.
func carriers(scheme string, torProxy, nymProxy bool) []string {
	var over []string
	switch scheme {
	case addr.TCP:
		over = []string{addr.Tor, addr.Nym}
	case addr.TCPTLS:
		over = []string{addr.TorTLS, addr.NymTLS}
	}
	switch {
	case scheme == addr.TCP && (torProxy || nymProxy), scheme == addr.Tor && torProxy:
		over = append(over, addr.Socks5)
	case scheme == addr.TCPTLS && (torProxy || nymProxy), scheme == addr.TorTLS && torProxy:
		over = append(over, addr.Socks5TLS)
	}
	return over
}

// shareable are the schemes of the addresses that nodes tell each other.
var shareable = []string{
	addr.Tor, "tls", addr.TCP, addr.Nym, addr.I2P, addr.TorTLS, addr.NymTLS, addr.TCPTLS, addr.I2PTLS,
}

// Shareable tells whether addresses of a scheme are told to other nodes.
func Shareable(scheme string) bool { return slices.Contains(shareable, scheme) }
