package chat

import (
	"context"
	"errors"

	"dchat/p2p"
	"dchat/p2p/channel"
	"dchat/p2p/protocol"
)

// ErrNoPeers says that a text was sent to nobody, because nobody is connected.
var ErrNoPeers = errors.New("no peers connected")

// Dchat is a chat on a P2p. It is safe for concurrent use.
type Dchat struct {
	p2p     *p2p.P2p
	history *History
	sending chan struct{} // holds one token: texts are sent one after the other
}

// New makes a chat of a node on which the protocol of the history is registered;
// see Join, which does all of it.
func New(node *p2p.P2p, history *History) *Dchat {
	return &Dchat{p2p: node, history: history, sending: make(chan struct{}, 1)}
}

// Join registers the chat protocol on a node that is not started yet, and
// returns the chat. The error says that the settings are not valid or that the
// node has a chat already.
func Join(node *p2p.P2p, settings Settings) (*Dchat, error) {
	history, err := NewHistory(settings)
	if err != nil {
		return nil, err
	}
	if err := node.Register(Protocol(history)); err != nil {
		return nil, err
	}
	return New(node, history), nil
}

// Protocol returns the registration that makes peers' texts go into the history.
// What a peer says on several channels goes there once.
func Protocol(history *History) protocol.Registration {
	twins := newTwins(history)
	return protocol.Registration{
		Name:     "dchat",
		Sessions: channel.Default,
		New: func(ch *channel.Channel, node protocol.Node) (protocol.Protocol, error) {
			return nil, ch.Subscribe(channel.Subscription{
				Spec: Message{}.Spec(),
				Handle: channel.On(func(m *Message) error {
					twins.received(node, ch, m.Text)
					return nil
				}),
			})
		},
	}
}

// P2p returns the node the chat is on.
func (d *Dchat) P2p() *p2p.P2p { return d.p2p }

// History returns the texts sent and received in this run.
func (d *Dchat) History() *History { return d.history }

// Receipt says what became of a text that was sent.
type Receipt struct {
	Seq   uint64 // of its entry in the history
	Peers int    // for how many peers it was queued, at least 1
}

// Send sends a text to every peer. Texts arrive at each peer in the order of the
// calls; Send waits, within ctx, while a peer that goes on reading has no room
// for more. The error is an ErrText, ErrNoPeers, p2p.ErrNotRunning or that of ctx;
// in each case the text was sent to nobody and is not in the history.
func (d *Dchat) Send(ctx context.Context, text string) (Receipt, error) {
	if err := Check(text); err != nil {
		return Receipt{}, err
	}
	select {
	case d.sending <- struct{}{}:
		defer func() { <-d.sending }()
	case <-ctx.Done():
		return Receipt{}, ctx.Err()
	}
	const header = 64 // more than magic, command and lengths take
	if err := d.p2p.Room(ctx, len(text)+header); err != nil {
		return Receipt{}, err
	}
	return d.history.sent(text, func() (int, error) { return d.p2p.Broadcast(&Message{Text: text}) })
}
