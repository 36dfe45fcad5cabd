package channel

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/wire"
)

// The delays of n pings within their expiry, as recorded from the reference.
func TestDelaysAreThoseOfTheReference(t *testing.T) {
	rule := wire.Ping{}.Spec().Metering
	receive := []time.Duration{0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}
	for i, seconds := range receive {
		total := i + 1
		if got := receiveDelay(total, rule); got != seconds*time.Second {
			t.Errorf("receiving number %d is delayed by %v, want %d s", total, got, seconds)
		}
		if got := sendDelay(total, rule); got != 2*seconds*time.Second {
			t.Errorf("sending number %d is delayed by %v, want %d s", total, got, 2*seconds)
		}
	}
}

func TestPointsCountUntilTheirExpiry(t *testing.T) {
	var m meter
	ping := &subscription{Subscription: Subscription{Spec: wire.Ping{}.Spec()}}
	addrs := &subscription{Subscription: Subscription{Spec: wire.Addrs{}.Spec()}}
	for _, step := range []struct {
		sub      *subscription
		at       time.Duration
		own, sum int
	}{
		{ping, 0, 1, 1},
		{ping, time.Second, 2, 2},
		{addrs, 2 * time.Second, 1, 3},
		{ping, 10*time.Second - 1, 3, 4},
		{ping, 10 * time.Second, 3, 4},
		{addrs, 12 * time.Second, 1, 3},
		{addrs, time.Hour, 1, 1},
	} {
		if own, sum := m.add(step.sub, step.at); own != step.own || sum != step.sum {
			t.Errorf("at %v: %d and %d points, want %d and %d", step.at, own, sum, step.own, step.sum)
		}
	}
}

// answering makes a channel that answers pings as the heartbeat does.
func answering(t *testing.T, c *Channel) {
	opens(t, c)
	must(t, c.Subscribe(Subscription{Spec: wire.Ping{}.Spec(), Handle: On(func(m *wire.Ping) error {
		return c.Send(t.Context(), wire.Pong{Nonce: m.Nonce})
	})}))
	must(t, c.Subscribe(Subscription{Spec: wire.Pong{}.Spec(), Handle: func([]byte) error { return nil }}))
	must(t, c.Subscribe(Subscription{Spec: note{}.Spec(), Handle: func(p []byte) error {
		return c.Send(t.Context(), note{string(p)})
	}}))
}

func TestEightPingsAtOnceAreAnsweredAsTheReferenceAnswersThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil, func(c *Channel) { answering(t, c) })
		open(t, f)
		begin := time.Now()
		for i := range uint16(8) {
			f.write(t, wire.Ping{Nonce: i})
		}
		f.write(t, note{"not held up"})
		var at []int
		for len(at) < 8 {
			command, _ := f.read(t)
			if command == "note" && time.Since(begin) > 0 {
				t.Errorf("another command was held up for %v", time.Since(begin))
			}
			if command == "pong" {
				at = append(at, int(time.Since(begin)/time.Second))
			}
		}
		if want := []int{0, 0, 0, 0, 3, 9, 12, 16}; !slices.Equal(at, want) {
			t.Errorf("pongs came after %v s, want %v", at, want)
		}
	})
}

func TestAFloodOfMeteredMessagesIsAnOffence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil, func(c *Channel) { answering(t, c) })
		open(t, f) // one point of 12: verack, ping and pong have a threshold of 4 each
		for range 11 {
			f.write(t, wire.Ping{})
		}
		synctest.Wait()
		if err := f.Err(); err != nil {
			t.Fatalf("ended at the limit: %v", err)
		}
		f.write(t, wire.Ping{})
		var offence *wire.Error
		if err := f.ended(t); !errors.As(err, &offence) || offence.Kind != wire.Flood {
			t.Errorf("ended with %v, want a flood", err)
		}
	})
}
