package channel

import (
	"fmt"
	"strings"
)

// Kind says which session a channel belongs to; a set of kinds is the sum of
// its bits.
type Kind uint8

// The kinds of session, by the bit that stands for each.
const (
	Inbound  Kind = 1 << iota // the peer connected to us
	Outbound                  // we connected, to an address we discovered
	Manual                    // we connected, to a configured peer
	Seed                      // we connected to a seed, for one exchange
	Refine                    // we connected to see whether the address answers
	Direct                    // we connected on demand

	// Default is every kind of which the other end is a peer: what is broadcast
	// goes to these.
	Default = Inbound | Outbound | Manual | Direct
	// All is every kind.
	All = Default | Seed | Refine
)

var kindNames = [...]string{"inbound", "outbound", "manual", "seed", "refine", "direct"}

// String returns the name of a kind, or the names of a set joined by "+".
func (k Kind) String() string {
	var names []string
	for i, name := range kindNames {
		if k&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return strings.Join(names, "+")
}
