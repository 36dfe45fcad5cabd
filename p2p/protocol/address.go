package protocol

import (
	"context"
	"errors"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/wire"
)

// AddressBook is what a node knows of others' addresses.
type AddressBook interface {
	// Asked says that the peer of a channel is being asked for addresses.
	Asked(peer addr.Addr)
	// Heard takes the addresses that the peer of a channel told us.
	Heard(from addr.Addr, entries []wire.Entry)
	// Known returns addresses worth telling: up to most of the wanted schemes,
	// then others, up to 2·most in all.
	Known(most int, schemes []string) []wire.Entry
}

// AddressConfig says how a node takes part in the exchange of addresses.
type AddressConfig struct {
	Book     AddressBook
	Ask      func() uint32      // how many addresses to ask a peer for
	Schemes  []string           // which ones we can dial, in the order they are asked for
	External func() []addr.Addr // our own addresses, told to peers we connected to
}

// maxAddresses is the most that is answered, and asked for. Twice as many, of
// the longest common size, fit in one message.
const maxAddresses = 255

// Question returns what a peer is asked.
func (c *AddressConfig) Question() *wire.GetAddr {
	return &wire.GetAddr{Max: min(c.Ask(), maxAddresses), Transports: c.Schemes}
}

// Address returns the exchange of addresses: ask each new peer once, answer
// every question from the address book, and tell our own addresses to those that
// we found by theirs.
func Address(cfg AddressConfig) Registration {
	return Registration{
		Name:     "address",
		Sessions: channel.Default,
		New: func(ch *channel.Channel, _ Node) (Protocol, error) {
			a := &address{ch: ch, cfg: cfg}
			err := ch.Subscribe(channel.Subscription{Spec: wire.GetAddr{}.Spec(), Handle: channel.On(a.onGetAddr)})
			if err != nil {
				return nil, err
			}
			return a, ch.Subscribe(channel.Subscription{Spec: wire.Addrs{}.Spec(), Handle: channel.On(a.onAddrs)})
		},
	}
}

type address struct {
	ch  *channel.Channel
	cfg AddressConfig
}

// Start asks the peer.
func (a *address) Start() error {
	a.ch.Go(func(ctx context.Context) {
		if own := a.cfg.Own(); a.ch.Kind() == channel.Outbound && len(own.Entries) > 0 {
			a.send(ctx, own)
		}
		a.cfg.Book.Asked(a.ch.Addr())
		a.send(ctx, a.cfg.Question())
	})
	return nil
}

// Own returns the message that tells our own addresses.
func (c *AddressConfig) Own() *wire.Addrs {
	m := &wire.Addrs{}
	for _, e := range c.External() {
		m.Entries = append(m.Entries, wire.Entry{Addr: e.Public(), LastSeen: uint64(time.Now().Unix())})
	}
	return m
}

// mostUnread is how many bytes may wait for a peer that asks. One that asks faster than it
// reads gets no answer, lest answers fill the queue that others' words need too.
const mostUnread = 64 << 10

func (a *address) onGetAddr(m *wire.GetAddr) error {
	if a.ch.Stats().Queued > mostUnread {
		return nil
	}
	most := min(int64(m.Max), maxAddresses)
	known := a.cfg.Book.Known(int(most), m.Transports)
	a.send(context.Background(), &wire.Addrs{Entries: fitting(known[:min(len(known), int(2*most))])})
	return nil
}

// fitting returns as many of the entries, from the first, as fit in one message.
func fitting(entries []wire.Entry) []wire.Entry {
	const count, perEntry = 9, 9 + 8 // at most: the count; the length of an address and its time
	room := wire.Addrs{}.Spec().MaxPayload - count
	for i, e := range entries {
		if room -= perEntry + len(e.Addr.String()); room < 0 {
			return entries[:i]
		}
	}
	return entries
}

func (a *address) onAddrs(m *wire.Addrs) error {
	a.cfg.Book.Heard(a.ch.Addr(), a.cfg.taken(m.Entries))
	return nil
}

// leastTaken is how many addresses of a message are taken, however few are asked
// for: as many as a node may have of its own.
const leastTaken = 10

// taken are the addresses of a message that are looked at: twice as many as were
// asked for, since that is what an answer may have.
func (c *AddressConfig) taken(entries []wire.Entry) []wire.Entry {
	most := max(2*min(c.Ask(), maxAddresses), leastTaken)
	return entries[:min(len(entries), int(most))]
}

// send ends the channel when the message cannot be sent; but a peer that has no
// room for it just now can ask again.
func (a *address) send(ctx context.Context, m wire.Message) {
	if err := a.ch.Send(ctx, m); err != nil && !errors.Is(err, channel.ErrQueueFull) {
		a.ch.Close(err)
	}
}
