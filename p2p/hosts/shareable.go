package hosts

import (
	"slices"

	"dchat/p2p/addr"
)

// shareable are the schemes of the addresses that nodes tell each other.
var shareable = []string{
	addr.Tor, "tls", addr.TCP, addr.Nym, addr.I2P, addr.TorTLS, addr.NymTLS, addr.TCPTLS, addr.I2PTLS,
}

// Shareable tells whether addresses of a scheme are told to other nodes.
func Shareable(scheme string) bool { return slices.Contains(shareable, scheme) }
