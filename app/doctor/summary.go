package doctor

import (
	"fmt"
	"strings"
)

// summary is the outcome in a sentence or two.
func (e *examination) summary() string {
	switch {
	case e.Fault != nil:
		return "The configuration is not valid: the daemon cannot start with it."
	case e.Node == nil:
		return strings.ToUpper(e.Daemon.Detail[:1]) + e.Daemon.Detail[1:] + ". " + e.outlook()
	case len(e.channels) > 0:
		return fmt.Sprintf("Connected to %s.", count(len(e.channels), "peer"))
	default:
		return "Not connected: " + e.cause() + "."
	}
}

// outlook is what a daemon would find if it ran.
func (e *examination) outlook() string {
	asked, answered := e.asked()
	switch {
	case asked == 0:
		return "Its configuration names neither peers nor seeds."
	case answered == 0:
		return "And it would not get connected: " + e.cause() + "."
	default:
		return fmt.Sprintf("Of its seeds and peers %d of %d can be reached.", answered, asked)
	}
}

// cause is why a node has no peers.
func (e *examination) cause() string {
	asked, answered := e.asked()
	failed := ""
	for _, f := range e.all() {
		if f.failed {
			failed = f.stage + " " + f.target + ": " + f.reason().Detail
		}
	}
	switch {
	case asked == 1 && answered == 0:
		return failed
	case answered == 0 && e.proxyFault() != "":
		return e.proxyFault()
	case asked > 0 && answered == 0 && len(e.peers) == 0:
		return "no seed answers"
	case asked > 0 && answered == 0 && len(e.seeds) == 0:
		return "no peer answers"
	case asked > 0 && answered == 0:
		return "neither a seed nor a peer answers"
	case e.peerAnswers():
		return "a peer answers, so it should be connected in a moment"
	case e.known() > 0:
		return knownAddresses(e.known())
	case asked == 0 && len(e.Settings.Inbound) > 0:
		return "neither peers nor seeds are configured, and nobody has connected to this node"
	case asked == 0:
		return "neither peers nor seeds are configured"
	default:
		return "the seeds answer, but know nobody yet"
	}
}

func knownAddresses(n int) string {
	if n == 1 {
		return "1 address is known, which is tried again and again"
	}
	return fmt.Sprintf("%d addresses are known, which are tried one after the other", n)
}

func (e *examination) all() []*finding {
	return append(e.seeds[:len(e.seeds):len(e.seeds)], e.peers...)
}

// asked counts the seeds and peers, and those that do as they should.
func (e *examination) asked() (asked, answered int) {
	for _, f := range e.all() {
		if asked++; !f.failed {
			answered++
		}
	}
	return asked, answered
}

// proxyFault is what is wrong with the first proxy that does not do its part.
func (e *examination) proxyFault() string {
	for _, f := range e.all() {
		if why := f.reason(); f.failed && why.Step == StepProxy {
			return why.Detail
		}
	}
	return ""
}

func (e *examination) peerAnswers() bool {
	for _, f := range e.peers {
		if !f.failed {
			return true
		}
	}
	return false
}
