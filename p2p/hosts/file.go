package hosts

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/addr"
	"dchat/p2p/wire"
)

// The host list file has a line for each address: its colour, the address and
// when it was last seen in Unix seconds, with a tab between them. What follows
// after another tab, empty lines and lines that begin with # are ignored.

// saved are the lists that are written, in the order in which they stand.
var saved = [...]Colour{Dark, Grey, White, Gold}

// loaded are the lists in the order in which they are filled from a file: a ban
// first, then what is known best.
var loaded = [...]Colour{Black, Gold, White, Grey, Dark}

// Load locks the host list file for this process and takes over what is in it. A
// missing file is created, with its directory. Every line is judged like an
// address that is heard of, but for its age; white ones become grey, to be tried
// again. Lines that are not valid are skipped, and the file as it was is
// kept beside it with the ending .bak.
//
// The error is a *LockedError when another process has the file: the node must
// not start. Any other error is one of the file system, and leaves the lists with
// what could be read.
func (h *Hosts) Load(ctx context.Context) error {
	if h.store.path == "" {
		return nil
	}
	var lines [colours][]wire.Entry
	bad, over := 0, 0
	err := h.store.read(ctx, func(line []byte) {
		c, e, ok := parseLine(line)
		switch {
		case !ok:
			bad++
		default:
			lines[c] = append(lines[c], e)
		}
	})
	kept := 0
	for _, c := range loaded {
		takeTurns(lines[c])
		over += max(len(lines[c])-capacity[c], 0)
		for _, e := range lines[c] {
			if h.restore(c, e) {
				kept++
			}
		}
	}
	if bad > 0 {
		h.log.Warn("Lines of the host list skipped", zap.String("file", h.store.path), zap.Int("lines", bad))
		err = errors.Join(err, h.store.backup())
	}
	h.log.Debug("Host list loaded", zap.Int("addresses", kept), zap.Int("over the limits", over))
	return err
}

// restore puts an address from the file on a list. What peers once told counts
// as told by the address itself, since who told it is not known any more.
func (h *Hosts) restore(c Colour, line wire.Entry) bool {
	key := endpointOf(line.Addr)
	h.mu.Lock()
	defer h.mu.Unlock()
	fits, ok := h.rules.Load().judge(line.Addr, key, thisMachine)
	now := h.unix()
	h.loaded++
	e := &entry{addr: line.Addr, key: key, seen: notAhead(line.LastSeen, now), heard: -h.loaded}
	if c == White || c == Gold {
		e.answered = h.now()
	}
	from := ourselves
	switch {
	case c == Black:
		return h.restoreBan(line, key)
	case h.listed[key] != nil || h.states[key] != Free || !ok || h.barred(key):
		return false
	case (c == Dark || fits == Dark) && now-e.seen > darkAge:
		return false
	case c == Gold && fits == Grey:
		fits = Gold
	case c == Grey || c == Dark:
		from = key.group()
	}
	if from == ourselves && h.lists[fits].full() { // better ones are there already
		return false
	}
	return h.insert(e, fits, from)
}

// restoreBan puts a line of the file into force, from now.
func (h *Hosts) restoreBan(line wire.Entry, key endpoint) bool {
	if key.port == 0 || !h.bannable(Offence{Peer: line.Addr}, key) || h.banned(key) {
		return false
	}
	now := h.now()
	b := Ban{
		Host:     h.written(key.socket(), line.Addr),
		Reason:   "it stands in the host list",
		Since:    time.Unix(int64(notAhead(line.LastSeen, h.unix())), 0),
		Until:    now.Add(min(h.banTime, longestBan)),
		Offences: 1,
	}
	h.bans.put(key.socket(), banned{ban: b, peer: line.Addr}, b.Until)
	h.expel(key.socket())
	return true
}

// takeTurns sorts entries so that the newest of each group come first, then the
// second newest, and so on: when there is no room for all of them, few groups with
// many do not leave the others out.
func takeTurns(entries []wire.Entry) {
	newestFirst(entries)
	seen := make(map[place]int)
	turn := make(map[addr.Addr]int, len(entries))
	for _, e := range entries {
		group := endpointOf(e.Addr).group()
		turn[e.Addr] = seen[group]
		seen[group]++
	}
	slices.SortStableFunc(entries, func(a, b wire.Entry) int { return cmp.Compare(turn[a.Addr], turn[b.Addr]) })
}

// Save replaces the host list file by what is on the lists now, but for the
// black one. The old file stays as it is until the new one is safe on disk. It also
// stays when there is nothing to write and nobody is banned. The error is a
// *LockedError when another process has the file.
func (h *Hosts) Save(ctx context.Context) error {
	if h.store.path == "" {
		return nil
	}
	var lists [colours][]wire.Entry
	h.mu.Lock() // once for all, or what moves from one list to another could be missed
	for c := range colours {
		lists[c] = h.entriesOn(c)
	}
	h.mu.Unlock()
	var b bytes.Buffer
	for _, c := range saved {
		newestFirst(lists[c])
		for _, e := range lists[c] {
			fmt.Fprintf(&b, "%v\t%s\t%d\n", c, e.Addr, e.LastSeen)
		}
	}
	if b.Len() == 0 {
		if len(lists[Black]) == 0 {
			return nil
		}
		b.WriteString("# all that was known is banned\n") // or the old file would bring it back
	}
	return h.store.write(ctx, b.Bytes())
}

// Close gives the host list file back to other processes. Load and Save may
// follow, and take it again.
func (h *Hosts) Close() error { return h.store.unlock() }

// parseLine reads a line of the file without its end.
func parseLine(line []byte) (c Colour, e wire.Entry, ok bool) {
	colour, rest, _ := bytes.Cut(line, []byte("\t"))
	if c, ok = colourNamed(string(colour)); !ok {
		return 0, e, false
	}
	url, rest, _ := bytes.Cut(rest, []byte("\t"))
	seen, _, _ := bytes.Cut(rest, []byte("\t"))
	a, err := addr.Parse(string(url))
	if err != nil {
		return 0, e, false
	}
	if e.LastSeen, err = strconv.ParseUint(strings.TrimPrefix(string(seen), "+"), 10, 64); err != nil {
		return 0, e, false
	}
	e.Addr = a
	return c, e, true
}
