package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"dchat/chat"
	"dchat/chat/jsonrpc"
	"dchat/chat/rpc"
	"dchat/p2p/addr"
)

// pageSize is how many texts are asked for at once: so many of the longest there
// can be, six bytes of JSON for each of theirs, fit into an answer.
const pageSize = 8

// feed reads the history of a daemon from some place on, without a gap. It is for
// one goroutine.
type feed struct {
	daemon *daemon
	follow bool                             // go on at the end, also when the daemon is restarted
	say    func(format string, args ...any) // tells the user about the connection

	last rpc.Entry // the last one read, or with nothing but run and number the one before the first
	page []rpc.Entry
	sub  *jsonrpc.Subscription // nil: not at the end yet

	connected bool // at some time
	lost      bool // and not since
	pause     time.Duration
}

// The pauses between two attempts to connect again grow from the first to the last.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 2 * time.Second
)

// next returns the next text, with Missed set to the number of those before it
// that are no longer kept. At the end of the history it waits for more, or returns
// io.EOF when the feed is not to follow. Once it has been connected, a feed that
// follows tries again until ctx ends, rather than fail.
func (f *feed) next(ctx context.Context) (rpc.Entry, error) {
	for {
		e, err := f.read(ctx)
		switch {
		case err == nil && e.Seq <= f.last.Seq:
			continue // known
		case err == nil:
			e.Missed = e.Seq - f.last.Seq - 1
			f.last = e
			return e, nil
		case ctx.Err() != nil:
			return rpc.Entry{}, ctx.Err()
		case !f.follow || !f.connected || errors.As(err, new(*jsonrpc.Error)):
			return rpc.Entry{}, err
		}
		if !f.lost {
			f.lost, f.pause = true, firstPause
			f.say("lost the daemon at %s: trying again until it is back", peerName(f.daemon.endpoint))
		}
		f.close()
		f.daemon.close()
		select {
		case <-time.After(f.pause):
			f.pause = min(2*f.pause, lastPause)
		case <-ctx.Done():
		}
	}
}

func (f *feed) read(ctx context.Context) (rpc.Entry, error) {
	if len(f.page) == 0 && f.sub == nil {
		if err := f.attach(ctx); err != nil {
			return rpc.Entry{}, err
		}
	}
	if len(f.page) > 0 {
		e := f.page[0]
		f.page = f.page[1:]
		return e, nil
	}
	params, err := f.sub.Next(ctx)
	if err != nil {
		return rpc.Entry{}, f.daemon.explain(err)
	}
	var entries []rpc.Entry
	if err := json.Unmarshal(params, &entries); err != nil || len(entries) != 1 {
		return rpc.Entry{}, fmt.Errorf("%w: a notification of something else than a text", jsonrpc.ErrProtocol)
	}
	return entries[0], nil
}

// attach gets the next page of the history or, when there is none, subscribes to
// what comes behind it.
func (f *feed) attach(ctx context.Context) (err error) {
	again := "connected again"
	if f.lost && f.last.Run != "" {
		newest, err := f.daemon.newest(ctx)
		if err != nil {
			return err
		}
		if newest.Run != f.last.Run {
			again += "; the daemon was restarted, and has forgotten what was before"
			f.last = rpc.Entry{}
		}
	}
	if f.page, err = f.daemon.history(ctx, f.last.Seq, pageSize); err != nil {
		return err
	}
	if len(f.page) == 0 {
		if !f.follow {
			return io.EOF
		}
		if f.sub, err = f.daemon.subscribe(ctx, "chat.subscribe", historyParams{After: f.last.Seq}); err != nil {
			return err
		}
	}
	if f.lost {
		f.say("%s", again)
	}
	f.connected, f.lost = true, false
	return nil
}

// close ends the subscription; next begins a new one.
func (f *feed) close() {
	f.page = nil
	if f.sub != nil {
		_ = f.sub.Close() // of no use any more, whatever it says
		f.sub = nil
	}
}

// Next is next for a conversation.
func (f *feed) Next(ctx context.Context) (e chat.Entry, missed uint64, err error) {
	got, err := f.next(ctx)
	if err != nil {
		return chat.Entry{}, 0, err
	}
	return chatEntry(got), got.Missed, nil
}

// chatEntry turns what a daemon sent back into what it was made from.
func chatEntry(e rpc.Entry) chat.Entry {
	direction := chat.Received
	if e.Direction == chat.Sent.String() {
		direction = chat.Sent
	}
	from, err := addr.Parse(e.Addr)
	if err != nil {
		from = addr.Addr{} // none, as for what was sent
	}
	return chat.Entry{Seq: e.Seq, Time: e.Time, Direction: direction, Addr: from, Text: e.Text}
}
