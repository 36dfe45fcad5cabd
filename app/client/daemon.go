package client

import (
	"context"
	"errors"
	"sync"
	"time"

	"dchat/chat"
	"dchat/chat/jsonrpc"
	"dchat/chat/rpc"
	"dchat/p2p/addr"
)

// answerTime is how long a daemon may take to answer.
const answerTime = 30 * time.Second

// daemon is the one at an endpoint. It is connected to when it is needed, and
// again when the connection was lost. Its methods may be called at the same time;
// their errors are words for the user around those of jsonrpc and chat.
type daemon struct {
	endpoint addr.Addr

	mu     sync.Mutex
	client *jsonrpc.Client // nil: not connected
}

// parseEndpoint reads where a daemon is to be found.
func parseEndpoint(text string) (addr.Addr, error) {
	a, err := addr.Parse(text)
	if err == nil {
		_, port := a.Port()
		_, path := a.FilePath()
		tcp := a.Scheme() == addr.TCP || a.Scheme() == addr.HTTPTCP
		if tcp && port && a.Hostname() != "" || path {
			return a, nil
		}
	}
	return addr.Addr{}, usage("%q is no endpoint: write it as tcp://127.0.0.1:51054, http+tcp://127.0.0.1:51054 or unix:///path/of/socket", text)
}

func (d *daemon) connect(ctx context.Context) (*jsonrpc.Client, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.client == nil {
		client, err := jsonrpc.Dial(ctx, d.endpoint)
		if err != nil {
			return nil, err
		}
		d.client = client
	}
	return d.client, nil
}

// close ends the connection; the next call makes a new one.
func (d *daemon) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.client != nil {
		_ = d.client.Close() // of no use any more, whatever it says
		d.client = nil
	}
}

func (d *daemon) call(ctx context.Context, method string, params, result any) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	client, err := d.connect(ctx)
	if err == nil {
		err = client.Call(ctx, method, params, result)
	}
	if errors.Is(err, jsonrpc.ErrDisconnected) || errors.Is(err, jsonrpc.ErrProtocol) {
		d.close()
	}
	return d.explain(err)
}

func (d *daemon) subscribe(ctx context.Context, method string, params any) (*jsonrpc.Subscription, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	client, err := d.connect(ctx)
	if err != nil {
		return nil, d.explain(err)
	}
	s, err := client.Subscribe(ctx, method, params)
	return s, d.explain(err)
}

// Send sends a text to every peer of the daemon. The error wraps chat.ErrText or
// chat.ErrNoPeers, where that is why.
func (d *daemon) Send(ctx context.Context, text string) (chat.Receipt, error) {
	if err := chat.Check(text); err != nil {
		return chat.Receipt{}, err
	}
	var r rpc.Receipt
	if err := d.call(ctx, "chat.send", []string{text}, &r); err != nil {
		return chat.Receipt{}, err
	}
	return chat.Receipt{Seq: r.Seq, Peers: r.Peers}, nil
}

// historyParams are those of chat.history; those of chat.subscribe are the first.
type historyParams struct {
	After uint64 `json:"after"`
	Limit int    `json:"limit,omitempty"`
}

func (d *daemon) history(ctx context.Context, after uint64, limit int) (entries []rpc.Entry, err error) {
	err = d.call(ctx, "chat.history", historyParams{after, limit}, &entries)
	return entries, err
}

// newest returns the last text of the history; its zero value when there is none.
func (d *daemon) newest(ctx context.Context) (newest rpc.Entry, err error) {
	var last []rpc.Entry
	if err = d.call(ctx, "chat.history", map[string]int{"last": 1}, &last); len(last) > 0 {
		newest = last[0]
	}
	return newest, err
}

func (d *daemon) peers(ctx context.Context) (peers []rpc.Peer, err error) {
	err = d.call(ctx, "p2p.peers", nil, &peers)
	return peers, err
}
