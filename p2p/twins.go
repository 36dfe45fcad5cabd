package p2p

import (
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"dchat/p2p/addr"
	"dchat/p2p/channel"
)

// twins knows which inbound channels lead to peers that we have dialled as well, by
// the addresses that those who came in list as their own. Such a list proves
// nothing, so all it does is to take what is broadcast away from the one who made
// it: the channel to the address itself has it in any case. One that came in is the
// twin of one dialled channel at most, lest a single liar tie many peers together.
//
// add and remove are called under the node's mutex, of from anywhere.
type twins struct {
	dialled []dialled // in the order in which they opened
	claims  map[endpoint][]*channel.Channel
	pairs   atomic.Pointer[map[*channel.Channel][]*channel.Channel]
}

// dialled is a channel that we made, and where to.
type dialled struct {
	ch *channel.Channel
	to endpoint
}

// endpoint is what makes two addresses one and the same: scheme, host and port.
type endpoint struct{ scheme, socket string }

// mostClaims is how many of the addresses that a peer lists count. Nodes have at
// most ten.
const mostClaims = 10

func endpointOf(a addr.Addr) (e endpoint, ok bool) {
	port, ok := a.Port()
	if !ok || a.Host() == "" {
		return endpoint{}, false
	}
	socket := strings.ToLower(a.HostPort())
	if ip, ok := a.IP(); ok {
		socket = netip.AddrPortFrom(ip.Unmap(), port).String()
	}
	return endpoint{a.Scheme(), socket}, true
}

// add takes in a channel that is open.
func (t *twins) add(ch *channel.Channel) {
	if ch.Kind() == channel.Inbound {
		t.addInbound(ch)
	} else if to, ok := endpointOf(ch.Addr()); ok {
		t.dialled = append(t.dialled, dialled{ch, to})
	}
	t.match()
}

func (t *twins) addInbound(ch *channel.Channel) {
	for _, e := range claimed(ch) {
		if t.claims == nil {
			t.claims = make(map[endpoint][]*channel.Channel)
		}
		t.claims[e] = append(t.claims[e], ch)
	}
}

// claimed returns the endpoints that a peer lists as its own, each once, and the one it came
// from: where nodes dial from the socket that they listen on, that is theirs as well.
func claimed(ch *channel.Channel) []endpoint {
	listed := ch.Remote().ExtSendAddr
	listed = append([]addr.Addr{ch.Addr()}, listed[:min(len(listed), mostClaims)]...)
	var es []endpoint
	for _, a := range listed {
		if e, ok := endpointOf(a); ok && !slices.Contains(es, e) {
			es = append(es, e)
		}
	}
	return es
}

// remove forgets a channel, which need not be known.
func (t *twins) remove(ch *channel.Channel) {
	if ch.Kind() == channel.Inbound {
		t.removeInbound(ch)
	} else {
		t.dialled = slices.DeleteFunc(t.dialled, func(d dialled) bool { return d.ch == ch })
	}
	t.match()
}

func (t *twins) removeInbound(ch *channel.Channel) {
	for _, e := range claimed(ch) {
		others := slices.DeleteFunc(t.claims[e], func(other *channel.Channel) bool { return other == ch })
		if t.claims[e] = others; len(others) == 0 {
			delete(t.claims, e)
		}
	}
}

// match finds out who is whose twin.
func (t *twins) match() {
	var pairs map[*channel.Channel][]*channel.Channel
	for _, d := range t.dialled {
		for _, ch := range t.claims[d.to] {
			if pairs[ch] != nil {
				continue
			}
			if pairs == nil {
				pairs = make(map[*channel.Channel][]*channel.Channel)
			}
			pairs[ch] = []*channel.Channel{d.ch}
			pairs[d.ch] = append(pairs[d.ch], ch)
		}
	}
	t.pairs.Store(&pairs)
}

// of returns the twins of a channel.
func (t *twins) of(ch *channel.Channel) []*channel.Channel {
	if pairs := t.pairs.Load(); pairs != nil {
		return (*pairs)[ch]
	}
	return nil
}

// targets are those of the peers that broadcasts go to. It changes nothing in
// peers.
func (t *twins) targets(peers []*channel.Channel) []*channel.Channel {
	if pairs := t.pairs.Load(); pairs == nil || len(*pairs) == 0 {
		return peers
	}
	return slices.DeleteFunc(slices.Clone(peers), func(ch *channel.Channel) bool {
		return ch.Kind() == channel.Inbound && t.of(ch) != nil
	})
}
