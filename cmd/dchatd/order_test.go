package main_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dchat/chat"
	"dchat/cmd/internal/proc"
	"dchat/p2p/p2ptest"
)

// What is sent in order on one connection arrives in order at every peer, and none of it is lost,
// however much is written at once.
func TestTextsArriveInOrder(t *testing.T) {
	long := 300 // of 60 KiB each
	if proc.Race {
		long = 100 // the detector makes them slow
	}
	for _, c := range []struct {
		count, size int
		waits       bool // there is not room for all of them: sending has to wait
	}{{2000, 16, false}, {long, 60 << 10, true}} {
		t.Run(fmt.Sprintf("%d texts of %d bytes", c.count, c.size), func(t *testing.T) {
			t.Parallel()
			d := setup{}.start(t)
			peers := []*p2ptest.Peer{connect(t, d), connect(t, d)}
			d.peers(2, proc.Patience)
			text := func(i int) string { return fmt.Sprintf("%0*d", c.size, i) }
			var all strings.Builder
			for i := range c.count {
				all.WriteString(request(i, "send", `["`+text(i)+`"]`))
			}
			client := dialRPC(t, d.RPC)
			go func() { _, _ = client.conn.Write([]byte(all.String())) }() // the replies tell whether it went well
			replies := make(chan map[string]any, c.count)
			go func() {
				defer close(replies)
				for range c.count {
					reply, err := client.next()
					if err != nil {
						return
					}
					replies <- reply
				}
			}()
			var recordings []*p2ptest.Recording
			read := sync.OnceFunc(func() {
				for _, p := range peers {
					recordings = append(recordings, p.Record())
				}
			})
			for i := 0; i < c.count; {
				select {
				case got := <-replies:
					if got["id"] != float64(i) || got["result"] != true {
						t.Fatalf("reply %d is %v", i, got)
					}
					i++
				case <-time.After(300 * time.Millisecond): // it waits for room
					read()
				}
			}
			if c.waits && !proc.Race && recordings == nil {
				t.Error("there was room for all of them")
			}
			read()
			for _, r := range recordings {
				awaitTexts(t, r, c.count)
				for i, got := range texts(t, r) {
					if got != text(i) {
						t.Fatalf("text %d is %.40q…, want %.40q…", i, got, text(i))
					}
				}
			}
		})
	}
}

// awaitTexts waits until a peer has been sent that many texts.
func awaitTexts(t *testing.T, r *p2ptest.Recording, want int) {
	t.Helper()
	proc.Eventually(t, proc.Patience, func() error {
		got := 0
		for _, command := range r.Commands() {
			if command == chat.Command {
				got++
			}
		}
		if got < want {
			return fmt.Errorf("%d texts have come, want %d", got, want)
		}
		return nil
	})
}

// texts gives the texts among what a peer was sent.
func texts(t *testing.T, r *p2ptest.Recording) []string {
	t.Helper()
	var found []string
	for _, m := range r.Messages() {
		if m.Command != chat.Command {
			continue
		}
		var message chat.Message
		if err := message.Decode(m.Payload); err != nil {
			t.Fatal(err)
		}
		found = append(found, message.Text)
	}
	return found
}

// Two clients that send at the same time: each one's texts keep their order, at every peer in the
// same order as in the history.
func TestTwoSendersAtOnce(t *testing.T) {
	t.Parallel()
	d := setup{}.start(t)
	peer := connect(t, d).Record()
	const each = 200
	clients := make([]*rawRPC, 2)
	for k := range clients {
		clients[k] = dialRPC(t, d.RPC)
		var all strings.Builder
		for i := range each {
			all.WriteString(request(i, "chat.send", fmt.Sprintf(`["%d %d"]`, k, i)))
		}
		clients[k].write(all.String())
	}
	for _, c := range clients {
		for i := range each {
			if got := c.line(); got["id"] != float64(i) || got["error"] != nil {
				t.Fatalf("reply %d is %v", i, got)
			}
		}
	}
	var history []string
	next := []int{0, 0}
	for _, e := range ask[[]rpcEntry](d, "chat.history") {
		var k, i int
		if _, err := fmt.Sscanf(e.Text, "%d %d", &k, &i); err != nil || i != next[k] || e.Seq != uint64(len(history)+1) {
			t.Fatalf("entry %+v comes where text %d is expected", e, next[k])
		}
		next[k]++
		history = append(history, e.Text)
	}
	awaitTexts(t, peer, 2*each)
	if got := texts(t, peer); !slices.Equal(got, history) {
		t.Errorf("the peer got %.200q…, the history is %.200q…", got, history)
	}
}
