package session

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"dchat/p2p/channel"
	"dchat/p2p/wire"
)

// ErrSelf is why both ends of a connection end that this node made to itself: the
// address is our own under another name.
var ErrSelf = errors.New("this is our own address under another name")

// selves recognises the connections that this node makes to itself, while they are
// in the handshake: by where they begin and end, or, since addresses may be
// translated on the way, by marks. Each end of a connection to a peer tells a mark;
// when both ends have told one of ours, each the other's, there is only one node. Marks are
// good for one connection, so that nobody can tell by them which connections are
// of one node.
type selves struct {
	mu   sync.Mutex
	ends map[string]*end // by their marks, and by where they begin and end
}

// end is our end of a connection.
type end struct {
	ch        *channel.Channel
	mark      string // empty when none is told
	there     string // the mark of the other end; empty while it is not known
	path      string // where the connection begins and ends as seen from here; may be empty
	otherPath string // as seen from the other end
}

// markFeature begins the name of the feature that tells a mark.
const markFeature = "conn:"

// add takes a channel in and returns what its version has to tell: nothing when
// features are hidden, and to seeds and to addresses that are only tried.
func (s *selves) add(ch *channel.Channel, hidden bool) (e *end, told []wire.Feature) {
	e = &end{ch: ch}
	if local, remote := ch.Sockets(); local.IsValid() && remote.IsValid() {
		e.path, e.otherPath = path(local, remote), path(remote, local)
	}
	if !hidden && ch.Kind()&channel.Default != 0 {
		e.mark = hex.EncodeToString(binary.LittleEndian.AppendUint64(nil, rand.Uint64()))
		told = []wire.Feature{{Name: markFeature + e.mark, Version: 1}}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ends == nil {
		s.ends = make(map[string]*end)
	}
	for _, name := range e.names() {
		s.ends[name] = e
	}
	return e, told
}

func (e *end) names() (names []string) {
	for _, name := range []string{e.mark, e.path} {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

func path(from, to netip.AddrPort) string { return from.String() + " " + to.String() }

// heard takes the version of the other end. It fails with ErrSelf, and ends the
// other end with it, when that is ours. An end that told no mark must be one that the
// other end heard none of.
func (s *selves) heard(e *end, remote *wire.Version) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range remote.Features {
		if mark, ok := strings.CutPrefix(f.Name, markFeature); ok && e.there == "" {
			e.there = mark
		}
	}
	peer := s.ends[e.otherPath]
	if marked := s.ends[e.there]; peer == nil && marked != nil && marked.there == e.mark {
		peer = marked
	}
	if peer == nil || (peer.ch.Kind() == channel.Inbound) == (e.ch.Kind() == channel.Inbound) {
		return nil
	}
	peer.ch.Close(ErrSelf)
	return ErrSelf
}

// withoutMarks leaves the features that are for protocols.
func withoutMarks(features []wire.Feature) []wire.Feature {
	return slices.DeleteFunc(features, func(f wire.Feature) bool { return strings.HasPrefix(f.Name, markFeature) })
}

// remove forgets a channel whose handshake is done, or that has ended.
func (s *selves) remove(e *end) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range e.names() {
		if s.ends[name] == e {
			delete(s.ends, name)
		}
	}
	*e = end{} // its channel may last for long
}
