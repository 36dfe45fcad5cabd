package rpc

import (
	"context"
	"errors"
	"iter"
	"time"

	"dchat/chat"
	"dchat/chat/jsonrpc"
	"dchat/p2p"
)

// The codes of the errors of the chat methods.
const (
	CodeNoPeers    = -32010 // the text was sent to nobody: no peers connected
	CodeNotRunning = -32011 // the node is starting or stopping
)

// ChatMethods returns the methods of a chat: send, recv, chat.send, chat.history
// and chat.subscribe.
func ChatMethods(d *chat.Dchat) Methods {
	m := chatMethods{d}
	return Methods{
		"send":           m.send,
		"recv":           m.recv,
		"chat.send":      m.chatSend,
		"chat.history":   m.chatHistory,
		"chat.subscribe": m.chatSubscribe,
	}
}

type chatMethods struct{ chat *chat.Dchat }

// send answers true when the text is queued for at least one peer.
func (m chatMethods) send(ctx context.Context, c *jsonrpc.Call) (any, error) {
	var text string
	if err := c.FirstArgs(&text); err != nil {
		return nil, err
	}
	if _, err := m.deliver(ctx, text); err != nil {
		return nil, err
	}
	return true, nil
}

// Receipt is the result of chat.send.
type Receipt struct {
	Seq   uint64 `json:"seq"`
	Peers int    `json:"peers"`
}

// chatSend takes ["text"] or {"text": "…"}.
func (m chatMethods) chatSend(ctx context.Context, c *jsonrpc.Call) (any, error) {
	var params struct {
		Text string `json:"text"`
	}
	read := func() error { return c.Args(&params.Text) }
	if c.Params()[0] == '{' {
		read = func() error { return c.Object(&params) }
	}
	if err := read(); err != nil {
		return nil, err
	}
	return m.deliver(ctx, params.Text)
}

func (m chatMethods) deliver(ctx context.Context, text string) (Receipt, error) {
	r, err := m.chat.Send(ctx, text)
	switch {
	case errors.Is(err, chat.ErrText):
		return Receipt{}, jsonrpc.InvalidParams("%v", err)
	case errors.Is(err, chat.ErrNoPeers):
		return Receipt{}, &jsonrpc.Error{Code: CodeNoPeers, Message: chat.ErrNoPeers.Error()}
	case errors.Is(err, p2p.ErrNotRunning):
		return Receipt{}, &jsonrpc.Error{Code: CodeNotRunning, Message: p2p.ErrNotRunning.Error()}
	case err != nil:
		return Receipt{}, err
	}
	return Receipt{Seq: r.Seq, Peers: r.Peers}, nil
}

// recv answers every text received in this run that is still kept.
func (m chatMethods) recv(context.Context, *jsonrpc.Call) (any, error) {
	kept := m.kept(0, m.chat.History().Newest(), 0)
	return jsonrpc.List(func(yield func(any) bool) {
		for e := range kept {
			if e.Direction == chat.Received && !yield(e.Text) {
				return
			}
		}
	}), nil
}

// kept returns the entries behind one, up to another one, oldest first, at most limit
// of them; 0 is all. It holds none of them, lest a client that reads slowly keep what
// the history has dropped: what is dropped before its turn is left out.
func (m chatMethods) kept(after, upTo uint64, limit uint32) iter.Seq[chat.Entry] {
	return func(yield func(chat.Entry) bool) {
		seen := after
		for n := uint32(0); limit == 0 || n < limit; n++ {
			entries, _ := m.chat.History().After(seen, 1)
			if len(entries) == 0 || entries[0].Seq > upTo || !yield(entries[0]) {
				return
			}
			seen = entries[0].Seq
		}
	}
}

// Entry is a text of the history in the results of chat.history and in the
// notifications of chat.subscribe.
type Entry struct {
	Run       string    `json:"run"` // of the daemon: in another one, seq begins anew
	Seq       uint64    `json:"seq"`
	Time      time.Time `json:"time"`
	Direction string    `json:"direction"` // "in" or "out"
	Addr      string    `json:"addr"`      // of the channel; empty for "out"
	Text      string    `json:"text"`
	// Missed, in a notification, is how many entries before this one the
	// subscriber was too slow for.
	Missed uint64 `json:"missed,omitempty"`
}

func (m chatMethods) entry(e chat.Entry, missed uint64) Entry {
	return Entry{
		Run: m.chat.History().Run(), Seq: e.Seq, Time: e.Time.UTC(), Direction: e.Direction.String(),
		Addr: e.Addr.Public().String(), Text: e.Text, Missed: missed,
	}
}

// chatHistory takes {"after": seq, "limit": n}, both 0 when they are missing, and a
// limit of 0 is none; or {"last": n} for the last n entries.
func (m chatMethods) chatHistory(_ context.Context, c *jsonrpc.Call) (any, error) {
	var params struct {
		After uint64  `json:"after"`
		Limit uint32  `json:"limit"`
		Last  *uint64 `json:"last"`
	}
	if err := c.Object(&params); err != nil {
		return nil, err
	}
	newest := m.chat.History().Newest()
	if params.Last != nil {
		if params.After != 0 || params.Limit != 0 {
			return nil, jsonrpc.InvalidParams("want last alone, or after and limit")
		}
		params.After = newest - min(newest, *params.Last)
	}
	kept := m.kept(params.After, newest, params.Limit)
	return jsonrpc.List(func(yield func(any) bool) {
		for e := range kept {
			if !yield(m.entry(e, 0)) {
				return
			}
		}
	}), nil
}

// chatSubscribe answers true, then sends every entry from then on; with
// {"after": seq} it begins behind that entry of the history.
func (m chatMethods) chatSubscribe(_ context.Context, c *jsonrpc.Call) (any, error) {
	var params struct {
		After *uint64 `json:"after"`
	}
	if err := c.Object(&params); err != nil {
		return nil, err
	}
	sub := m.chat.History().Subscribe()
	if params.After != nil {
		sub = m.chat.History().SubscribeAfter(*params.After)
	}
	c.Stream(func(ctx context.Context, notify jsonrpc.Notify) error {
		for {
			e, missed, err := sub.Next(ctx)
			if err != nil {
				return nil //nolint:nilerr // the client has gone: the ordinary end
			}
			if err := notify(m.entry(e, missed)); err != nil {
				return err
			}
		}
	})
	return true, nil
}
