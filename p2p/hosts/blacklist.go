package hosts

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"dchat/p2p/addr"
)

// BlacklistEntry names what the operator refuses at one host.
type BlacklistEntry struct {
	// Host is a name, which does not stand for the names below it, or an IP;
	// IPv6 is written in brackets. A port may follow instead of Ports.
	Host string
	// Schemes are those that are refused; none stands for tcp+tls.
	Schemes []string
	// Ports are those that are refused; none, or 0, stands for all.
	Ports []uint16
}

// Blacklist is what the operator refuses: a set that nothing but the operator
// adds to, and that never forgets. It does not change; the zero value refuses
// nothing.
type Blacklist struct {
	refused map[endpoint]bool // port 0: all ports
}

// NewBlacklist makes the set of all the entries that are valid. The error joins
// one *BlacklistError for each fault of the others.
func NewBlacklist(entries []BlacklistEntry) (Blacklist, error) {
	b := Blacklist{refused: make(map[endpoint]bool)}
	var faults []error
	for i, entry := range entries {
		schemes := entry.Schemes
		if len(schemes) == 0 {
			schemes = []string{addr.TCPTLS}
		}
		for _, scheme := range schemes {
			if reason := b.add(entry, scheme); reason != "" {
				faults = append(faults, &BlacklistError{Index: i, Entry: entry, Reason: reason})
			}
		}
	}
	return b, errors.Join(faults...)
}

// blacklistable are the schemes of addresses that come on lists at all.
var blacklistable = []string{
	addr.TCP, addr.TCPTLS, addr.Tor, addr.TorTLS, addr.Nym, addr.NymTLS, addr.I2P, addr.I2PTLS, addr.QUIC,
}

func (b *Blacklist) add(entry BlacklistEntry, scheme string) (reason string) {
	if !slices.Contains(blacklistable, scheme) {
		return fmt.Sprintf("%.20q is none of the schemes %s", scheme, strings.Join(blacklistable, ", "))
	}
	a, err := addr.Parse(scheme + "://" + entry.Host)
	if err != nil || a.Host() == "" || a.Public() != a || len(a.Path()) > 1 {
		return "give a host without anything around it, IPv6 in brackets"
	}
	key := endpointOf(a)
	if key.port != 0 && len(entry.Ports) > 0 {
		return "give the port with the host or among the ports, not both"
	}
	ports := entry.Ports
	if len(ports) == 0 {
		ports = []uint16{key.port}
	}
	for _, key.port = range ports {
		b.refused[key] = true
	}
	return ""
}

// Has tells whether an address is refused: by its scheme, host and port,
// whatever else it has. It takes the time of two map lookups.
func (b Blacklist) Has(a addr.Addr) bool { return b.has(endpointOf(a)) }

func (b Blacklist) has(key endpoint) bool {
	if b.refused[key] {
		return true
	}
	key.port = 0
	return b.refused[key]
}
