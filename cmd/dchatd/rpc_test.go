package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"dchat/chat/jsonrpc"
	"dchat/cmd/internal/proc"
)

// ask calls a method that has to succeed, over a connection of its own.
func ask[R any](d *daemon, method string, params ...any) R {
	d.T.Helper()
	return proc.Ask[R](d.Process, method, params...)
}

// refused calls a method that has to fail with that code, and returns the message and the detail.
func (d *daemon) refused(code int, method string, params ...any) string {
	d.T.Helper()
	var result json.RawMessage
	err := d.Call(&result, method, params...)
	failure, ok := errors.AsType[*jsonrpc.Error](err)
	if !ok || failure.Code != code {
		d.T.Fatalf("%s %v: got %s, %v; want error %d", method, params, result, err, code)
	}
	return fmt.Sprintf("%s %s", failure.Message, failure.Data)
}

// peers waits until the daemon has that many peers.
func (d *daemon) peers(want int, within time.Duration) []rpcChannel {
	d.T.Helper()
	var info rpcInfo
	proc.Eventually(d.T, within, func() error {
		if info = ask[rpcInfo](d, "p2p.get_info"); len(info.Channels) != want {
			return fmt.Errorf("%d peers, want %d", len(info.Channels), want)
		}
		return nil
	})
	return info.Channels
}

// received waits until recv answers these texts.
func (d *daemon) received(want ...string) {
	d.T.Helper()
	proc.Eventually(d.T, proc.Patience, func() error {
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
