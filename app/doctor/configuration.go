package doctor

import (
	"cmp"
	"fmt"
	"strings"
)

// configuration reports what is wrong with the settings as they are written, and what
// is seldom meant.
func (e *examination) configuration() {
	if e.Fault != nil {
		for line := range strings.SplitSeq(e.Fault.Error(), "\n") {
			e.add(Check{Stage: StageConfiguration, Status: Fail, Detail: line, Advice: "Correct it; `dchatd config check` tells whether all is well then."})
		}
		return
	}
	e.add(Check{Stage: StageConfiguration, Target: cmp.Or(e.File, "the built-in one"), Status: OK, Detail: "valid"})
	for _, warning := range e.Warnings {
		e.warn(warning, "")
	}
	e.unlikely()
}

func (e *examination) warn(detail, advice string) {
	e.add(Check{Stage: StageConfiguration, Status: Warn, Detail: detail, Advice: advice})
}

// unlikely warns of settings with which a node finds nobody, or is found by nobody.
func (e *examination) unlikely() {
	s := &e.Settings
	switch alone := len(s.Peers)+len(s.Seeds) == 0; {
	case alone && len(s.Inbound) == 0:
		e.warn("neither peers nor seeds are configured, and nobody can connect to this node", "Set peers or seeds: the address of a friend, or of a seed of the network that you want to be on.")
	case alone:
		e.warn("neither peers nor seeds are configured: this node waits for others to connect to it", "Set peers or seeds, unless others know its address.")
	}
	if s.OutboundConnections == 0 && !s.SeedNode {
		e.warn("outbound_connections is 0: this node connects to its configured peers only", "Set it to 8, say, to connect to others that the seeds and peers know.")
	}
	if s.InboundConnections == 0 && len(s.Inbound) > 0 {
		e.warn("inbound_connections is 0: this node listens, and refuses everybody", "Set it to 8, say, or take inbound out.")
	}
	if len(s.Inbound) == 0 && len(s.ExternalAddrs) > 0 {
		e.warn("external_addrs is set, but this node does not listen: others are told an address at which nobody answers", "Set inbound, or take external_addrs out.")
	}
	for _, a := range s.ExternalAddrs {
		ip, isIP := a.IP()
		if whatever := isIP && ip.IsUnspecified(); !whatever && !a.IsGlobal() && !s.Localnet {
			e.warn(fmt.Sprintf("external_addrs has %s, which is no public address: others refuse it", show(a)),
				"Set it to the public address of your router; in a network of your own set localnet.")
		}
	}
}
