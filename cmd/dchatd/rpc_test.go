package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"dchat/chat/jsonrpc"
)

// client connects to the daemon's RPC.
func (d *daemon) client() *jsonrpc.Client {
	d.t.Helper()
	var c *jsonrpc.Client
	eventually(d.t, patience, func() (err error) {
		c, err = jsonrpc.Dial(d.t.Context(), d.rpc)
		return err
	})
	d.t.Cleanup(func() { _ = c.Close() })
	return c
}

// ask calls a method that has to succeed, over a connection of its own.
func ask[R any](d *daemon, method string, params ...any) R {
	d.t.Helper()
	var result R
	if err := d.try(&result, method, params...); err != nil {
		d.t.Fatal(err)
	}
	return result
}

// try calls a method. One param that is a map is the params.
func (d *daemon) try(result any, method string, params ...any) error {
	d.t.Helper()
	c := d.client()
	defer func() { _ = c.Close() }()
	var args any = append([]any{}, params...)
	if len(params) == 1 {
		if object, ok := params[0].(map[string]any); ok {
			args = object
		}
	}
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	return c.Call(ctx, method, args, result)
}

// refused calls a method that has to fail with that code, and returns the message and the detail.
func (d *daemon) refused(code int, method string, params ...any) string {
	d.t.Helper()
	var result json.RawMessage
	err := d.try(&result, method, params...)
	failure, ok := errors.AsType[*jsonrpc.Error](err)
	if !ok || failure.Code != code {
		d.t.Fatalf("%s %v: got %s, %v; want error %d", method, params, result, err, code)
	}
	return fmt.Sprintf("%s %s", failure.Message, failure.Data)
}

// peers waits until the daemon has that many peers.
func (d *daemon) peers(want int, within time.Duration) []rpcChannel {
	d.t.Helper()
	var info rpcInfo
	eventually(d.t, within, func() error {
		if info = ask[rpcInfo](d, "p2p.get_info"); len(info.Channels) != want {
			return fmt.Errorf("%d peers, want %d", len(info.Channels), want)
		}
		return nil
	})
	return info.Channels
}

// received waits until recv answers these texts.
func (d *daemon) received(want ...string) {
	d.t.Helper()
	eventually(d.t, patience, func() error {
		if got := ask[[]string](d, "recv"); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			return fmt.Errorf("received %q, want %q", got, want)
		}
		return nil
	})
}

// The shapes of results, as programs that use the RPC see them.
type (
	rpcInfo struct {
		Channels      []rpcChannel `json:"channels"`
		OutboundSlots []uint32     `json:"outbound_slots"`
	}
	rpcChannel struct {
		URL     string `json:"url"`
		Session string `json:"session"`
		ID      uint32 `json:"id"`
	}
	rpcReceipt struct {
		Seq   uint64 `json:"seq"`
		Peers int    `json:"peers"`
	}
	rpcEntry struct {
		Seq       uint64    `json:"seq"`
		Time      time.Time `json:"time"`
		Direction string    `json:"direction"`
		Addr      string    `json:"addr"`
		Text      string    `json:"text"`
		Missed    uint64    `json:"missed"`
	}
)
