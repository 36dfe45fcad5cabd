package chat_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zaptest"

	"dchat/chat"
	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// node starts a node with a chat on an in-memory network, and stops it at the end.
func node(t *testing.T, mem *transport.Mem, settings p2p.Settings) *chat.Dchat {
	t.Helper()
	p, err := p2p.New(settings, p2p.WithTransports(transport.Set{"tcp": mem}), p2p.WithLogger(zaptest.NewLogger(t)))
	if err != nil {
		t.Fatal(err)
	}
	d, err := chat.Join(p, chat.DefaultSettings())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return d
}

var listening = addr.MustParse("tcp://127.0.0.1:1000")

// pair returns a node that listens and one that is connected to it.
func pair(t *testing.T) (listener, dialer *chat.Dchat) {
	mem := transport.NewMem()
	settings := p2p.DefaultSettings()
	settings.Inbound = []addr.Addr{listening}
	listener = node(t, mem, settings)
	settings.Inbound, settings.Peers = nil, []addr.Addr{listening}
	dialer = node(t, mem, settings)
	time.Sleep(time.Millisecond)
	synctest.Wait()
	return listener, dialer
}

func texts(d *chat.Dchat) []string {
	var got []string
	entries, _ := d.History().After(0, 0)
	for _, e := range entries {
		got = append(got, fmt.Sprintf("%d %v %s", e.Seq, e.Direction, e.Text))
	}
	return got
}

func TestTwoNodesTalkBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		for i, d := range []*chat.Dchat{a, b} {
			receipt, err := d.Send(t.Context(), fmt.Sprintf("from %d", i))
			if err != nil || receipt.Peers != 1 {
				t.Fatalf("send: %+v, %v", receipt, err)
			}
			synctest.Wait()
		}
		if got := strings.Join(texts(a), ","); got != "1 out from 0,2 in from 1" {
			t.Errorf("the first node's history is %q", got)
		}
		if got := strings.Join(texts(b), ","); got != "1 in from 0,2 out from 1" {
			t.Errorf("the second node's history is %q", got)
		}
	})
}

func TestATextForNobodyIsAnErrorAndNotInTheHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := node(t, transport.NewMem(), p2p.DefaultSettings())
		if _, err := d.Send(t.Context(), "hello?"); !errors.Is(err, chat.ErrNoPeers) {
			t.Errorf("error is %v, want ErrNoPeers", err)
		}
		if got := texts(d); got != nil {
			t.Errorf("history is %q", got)
		}
	})
}

func TestTextsThatCannotBeSentAreRefusedWithTheReason(t *testing.T) {
	for name, c := range map[string]struct{ text, reason string }{
		"empty":    {"", "it is empty"},
		"too long": {strings.Repeat("x", chat.MaxSend+1), "65537 bytes, at most 65536"},
		"no UTF-8": {"\xff", "not valid UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			err := chat.Check(c.text)
			if !errors.Is(err, chat.ErrText) || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("error is %v, want an ErrText that says %q", err, c.reason)
			}
		})
	}
	if err := chat.Check(strings.Repeat("x", chat.MaxSend)); err != nil {
		t.Errorf("the longest text is refused: %v", err)
	}
}
