package localnet

import (
	"context"
	"fmt"
	"sync"
	"time"

	"dchat/chat"
)

// answer makes a node answer every text of the first node until ctx ends. What
// others say it leaves alone: nodes that answered each other would never stop.
func (n *Network) answer(ctx context.Context, number int, c *chat.Dchat, heard *chat.Subscription) {
	for {
		e, _, err := heard.Next(ctx)
		if err != nil {
			return
		}
		if e.Direction != chat.Received || !isFrom(c.P2p(), e.Addr, n.addrs[0]) {
			continue
		}
		line := fmt.Sprintf("node %d got “%s”", number, excerpt(e.Text))
		if left, ok := n.departures.of(e.Text); ok {
			line += fmt.Sprintf(" after %v", e.Time.Sub(left).Round(10*time.Microsecond))
		}
		_, _ = c.Send(ctx, line) // when it cannot be sent nobody is there to miss it
	}
}

// excerpt is the beginning of a text.
func excerpt(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// departures remembers when texts were sent.
type departures struct {
	mu    sync.Mutex
	times map[string]time.Time
}

func (d *departures) note(text string, at time.Time) {
	const most = 1000 // texts; those on their way are fewer
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.times == nil || len(d.times) >= most {
		d.times = make(map[string]time.Time)
	}
	d.times[text] = at
}

func (d *departures) of(text string) (time.Time, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, ok := d.times[text]
	return at, ok
}
