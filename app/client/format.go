package client

import (
	"fmt"
	"strings"
	"time"

	"dchat/chat"
	"dchat/p2p/addr"
)

// entryLine is a text as it is shown: when, who and what, in one line.
func entryLine(e chat.Entry) string {
	who := "you"
	if e.Direction == chat.Received {
		who = peerName(e.Addr)
	}
	return fmt.Sprintf("%s <%s> %s", clock(e.Time.Local(), time.Now()), who, escape(e.Text))
}

func peerName(a addr.Addr) string {
	if a.IsZero() {
		return "unknown"
	}
	return strings.TrimSuffix(a.Redacted(), "/")
}

// clock is a time of day, with the day when it is another one than that of now.
func clock(t, now time.Time) string {
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

// count is "1 peer" or "2 peers".
func count[N int | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
