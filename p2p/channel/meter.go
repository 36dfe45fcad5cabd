package channel

import (
	"slices"
	"time"

	"dchat/p2p/wire"
)

// meter remembers the metered messages that went one way over a channel, each
// until its command's expiry. Its clock is the time since the channel was made,
// so a change of the time of day resets nothing.
type meter struct{ stamps []stamp }

type stamp struct {
	sub *subscription
	at  time.Duration
}

// add counts a message. It returns the points of its command and those of all
// commands together, that message included.
func (m *meter) add(s *subscription, now time.Duration) (own, sum int) {
	live := slices.DeleteFunc(m.stamps, func(old stamp) bool {
		return now-old.at >= old.sub.Spec.Metering.Expiry
	})
	if len(live) == 0 {
		live = nil // an idle channel does not keep the room that its busiest time took
	}
	m.stamps = append(live, stamp{s, now})
	for _, counted := range m.stamps {
		score := counted.sub.Spec.Metering.Score
		sum += score
		if counted.sub == s {
			own += score
		}
	}
	return own, sum
}

// receiveDelay is how long a message waits for its handler: one step for each
// point over the threshold.
func receiveDelay(total int, rule wire.Metering) time.Duration {
	return time.Duration(max(total-rule.Threshold, 0)) * rule.Step
}

// sendDelay is how long a message waits to be sent: twice what the other side
// would wait, so that we never come near its limit.
func sendDelay(total int, rule wire.Metering) time.Duration {
	return 2 * receiveDelay(total, rule)
}
