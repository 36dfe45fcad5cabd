package doctor

import (
	"fmt"
	"strings"
	"time"

	"dchat/p2p/channel"
	"dchat/p2p/hosts"
	"dchat/p2p/session"
)

// running reports what the node that runs is doing.
func (e *examination) running() {
	if e.Node == nil {
		return
	}
	e.connections()
	e.slots()
	known := e.Node.Hosts()
	addresses := Check{Stage: StageAddresses, Status: OK, Detail: fmt.Sprintf("%d connected to before (gold), %d that answered (white), %d only heard of (grey), %d that this node cannot dial (dark)",
		known.Len(hosts.Gold), known.Len(hosts.White), known.Len(hosts.Grey), known.Len(hosts.Dark))}
	if e.known() == 0 && e.Settings.OutboundConnections > 0 {
		addresses.Status = Warn
	}
	e.add(addresses)
	bans := Check{Stage: StageBans, Status: OK, Detail: "nobody is banned"}
	if n := len(known.Bans()); n > 0 {
		bans.Detail, bans.Advice = count(n, "host")+" banned", "See `dchat bans` for whom and why."
	}
	e.add(bans)
}

// known is how many addresses there are to dial.
func (e *examination) known() int {
	h := e.Node.Hosts()
	return h.Len(hosts.Gold) + h.Len(hosts.White) + h.Len(hosts.Grey)
}

// connections counts the peers by session.
func (e *examination) connections() {
	if len(e.channels) == 0 {
		e.add(Check{Stage: StageConnections, Status: Fail, Detail: "nobody is connected"})
		return
	}
	var parts []string
	for _, kind := range []channel.Kind{channel.Inbound, channel.Outbound, channel.Manual, channel.Direct} {
		n := 0
		for _, ch := range e.channels {
			if ch.Kind() == kind {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %v", n, kind))
		}
	}
	e.add(Check{Stage: StageConnections, Status: OK, Detail: count(len(e.channels), "peer") + ": " + strings.Join(parts, ", ")})
}

// slots reports each outbound slot, those with numbers that follow one another and do
// the same in one.
func (e *examination) slots() {
	slots := e.Node.Slots()
	if len(slots) == 0 {
		e.add(Check{Stage: StageSlot, Status: Skip, Detail: "there are no outbound slots"})
		return
	}
	for first := 0; first < len(slots); {
		check := slotCheck(slots[first])
		last := first
		for last+1 < len(slots) && slots[last+1].Number == slots[last].Number+1 && slotCheck(slots[last+1]) == check {
			last++
		}
		check.Target = fmt.Sprint(slots[first].Number)
		if last > first {
			check.Target += fmt.Sprintf("-%d", slots[last].Number)
		}
		e.add(check)
		first = last + 1
	}
}

func slotCheck(s session.Slot) Check {
	c := Check{Stage: StageSlot, Status: Warn}
	switch s.State {
	case session.SlotConnected:
		return Check{Stage: StageSlot, Status: OK, Detail: fmt.Sprintf("connected to %s for %v", show(s.Addr), time.Since(s.Since).Truncate(time.Second))}
	case session.SlotConnecting:
		c.Detail = "connecting to " + show(s.Addr)
	case session.SlotWaiting:
		c.Detail = "waiting before it tries the next address"
	default:
		c.Detail = "sleeping: there is no address to try"
	}
	if s.Err != nil {
		c.Detail += "; last failure: " + s.Err.Error()
	}
	return c
}
