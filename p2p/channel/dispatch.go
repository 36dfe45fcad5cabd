package channel

import (
	"bytes"
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/wire"
)

// Handler takes one message of a command: its payload, which is valid only until
// the handler returns. An error ends the channel; a *wire.Error among them says
// that the peer is at fault.
type Handler func(payload []byte) error

// Decoder is a message that can read itself from a payload.
type Decoder[M any] interface {
	*M
	Decode(payload []byte) error
}

// On returns a Handler that decodes the payload and hands the message on.
func On[M any, P Decoder[M]](handle func(*M) error) Handler {
	return func(payload []byte) error {
		var m M
		if err := P(&m).Decode(payload); err != nil {
			return err
		}
		return handle(&m)
	}
}

// Subscription makes a channel speak a command, both ways.
type Subscription struct {
	Spec   wire.Spec
	Handle Handler

	// Queue is how many messages may wait for a handler that is slow: such a
	// handler runs on a goroutine of its own, and what finds the queue full is
	// dropped and counted. With 0 the handler runs on the channel's reader and
	// must be quick and must not block; it holds up this peer and no other.
	// A metered command always has a queue, since its messages may be delayed.
	Queue int

	// Handshake marks the messages of the handshake itself: they are handled at
	// once, before the channel is open, and are never delayed.
	Handshake bool
}

// meteredQueue is the queue of a metered command that names none. Metering ends
// the channel long before that many wait.
const meteredQueue = 256

// queueBytes is the most that may wait in one subscription's queue, unless it is
// a single message.
const queueBytes = 1 << 20

// earlyBytes is the most that is kept of what arrives before the handshake is
// done; more of it is an offence.
const earlyBytes = 4 << 10

// heedTime is how long after a peer has left its messages are still handled.
const heedTime = 500 * time.Millisecond

type subscription struct {
	Subscription
	limit int // of the payload

	backlog *backlog // under Channel.mu; nil: nothing waits and nobody serves
}

// backlog is what waits for one handler, and is being served.
type backlog struct {
	waiting []delivery
	bytes   int
}

// delivery is a message that waits for its handler.
type delivery struct {
	payload []byte
	delay   time.Duration // counted from the end of the delivery before
}

// Subscribe makes the channel speak a command. Call it before Run, or from the
// function that Run calls when the handshake is done. It fails when the command
// is subscribed to already.
func (c *Channel) Subscribe(s Subscription) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.subscription(s.Spec.Command) != nil {
		return fmt.Errorf("command %q has two subscriptions on one channel", s.Spec.Command)
	}
	if s.Queue == 0 && s.Spec.Metering.Threshold > 0 {
		s.Queue = meteredQueue
	}
	sub := &subscription{Subscription: s, limit: s.Spec.MaxPayload}
	if sub.limit == 0 {
		sub.limit = c.cfg.MaxMessage
	}
	subs := append(slices.Clip(*c.subs.Load()), sub)
	c.subs.Store(&subs)
	c.threshold += s.Spec.Metering.Threshold
	return nil
}

// Speaks reports whether the command has a subscription on this channel.
func (c *Channel) Speaks(command string) bool { return c.subscription(command) != nil }

func (c *Channel) subscription(command string) *subscription {
	for _, s := range *c.subs.Load() {
		if s.Spec.Command == command {
			return s
		}
	}
	return nil
}

// deliver brings one message to its handler: at once where that is allowed, by
// way of the queue where it is not.
func (c *Channel) deliver(s *subscription, payload []byte) error {
	if s.Spec.Metering.Threshold == 0 && s.Queue == 0 && c.open.Load() {
		return c.call(s, payload)
	}
	delay, err := c.meterReceived(s)
	if err != nil {
		return err
	}
	if s.Handshake {
		return c.apart(func() error { return c.call(s, payload) })
	}
	if !c.open.Load() {
		return c.keep(s, payload, delay)
	}
	c.enqueue(s, payload, delay)
	return nil
}

// meterReceived counts a message and says how long it has to wait.
func (c *Channel) meterReceived(s *subscription) (time.Duration, error) {
	rule := s.Spec.Metering
	if rule.Threshold == 0 {
		return 0, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	total, sum := c.received.add(s, time.Since(c.created))
	if sum > c.threshold {
		return 0, &wire.Error{Kind: wire.Flood, Command: s.Spec.Command,
			Reason: fmt.Sprintf("%d points of messages within %v, at most %d are allowed", sum, rule.Expiry, c.threshold)}
	}
	return receiveDelay(total, rule), nil
}

// keep holds a message that came before the handshake was done. Only the reader
// touches c.early and c.earlySize.
func (c *Channel) keep(s *subscription, payload []byte, delay time.Duration) error {
	if c.earlySize += len(payload) + len(s.Spec.Command); c.earlySize > earlyBytes {
		return &wire.Error{Kind: wire.Flood, Command: s.Spec.Command, Reason: fmt.Sprintf("more than %d bytes before the end of the handshake", earlyBytes)}
	}
	c.early = append(c.early, earlyMessage{s, delivery{bytes.Clone(payload), delay}})
	return nil
}

type earlyMessage struct {
	sub *subscription
	delivery
}

// handleEarly delivers what was kept, in the order in which it came.
func (c *Channel) handleEarly() error {
	early := c.early
	c.early = nil
	for _, m := range early {
		if m.sub.Queue > 0 {
			c.enqueue(m.sub, m.payload, m.delay)
		} else if err := c.call(m.sub, m.payload); err != nil {
			return err
		}
	}
	return nil
}

// enqueue puts a message behind those that wait for the same handler, and sees
// to it that somebody serves them.
func (c *Channel) enqueue(s *subscription, payload []byte, delay time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.backlog == nil {
		s.backlog = &backlog{}
		c.tasks.Go(func() { c.serve(s) })
	}
	b := s.backlog
	if len(b.waiting) >= s.Queue || b.bytes > 0 && b.bytes+len(payload) > queueBytes {
		c.count.dropped.Add(1)
		return
	}
	b.waiting = append(b.waiting, delivery{bytes.Clone(payload), delay})
	b.bytes += len(payload)
}

// serve hands on what waits, one after the other, until nothing does. What a peer
// said just before it left is handled too, unless it has to be delayed.
func (c *Channel) serve(s *subscription) {
	for {
		c.mu.Lock()
		b := s.backlog
		if len(b.waiting) == 0 || c.ctx.Err() != nil && time.Since(c.left) > heedTime {
			s.backlog = nil
			c.mu.Unlock()
			return
		}
		next := b.waiting[0]
		b.waiting[0] = delivery{}
		b.waiting = b.waiting[1:]
		b.bytes -= len(next.payload)
		c.mu.Unlock()
		if next.delay > 0 && !c.sleep(c.ctx, next.delay) {
			continue
		}
		if err := c.call(s, next.payload); err != nil {
			c.Close(err)
		}
	}
}

// call runs the handler. A panic in it ends this channel and nothing else.
func (c *Channel) call(s *subscription, payload []byte) (err error) {
	defer c.recovered(s.Spec.Command, &err)
	return s.Handle(payload)
}

// recovered, deferred, turns a panic in the code of a protocol or of a transport
// into an error: what one peer brings about harms no other.
func (c *Channel) recovered(command string, err *error) {
	if v := recover(); v != nil {
		*err = &PanicError{Command: command, Value: v}
		c.cfg.Log.Error("A panic ended a connection", zap.String("peer", c.cfg.Addr.Redacted()), zap.String("cmd", command),
			zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
	}
}

// sleep waits for d, or until ctx or the channel ends, and reports whether it
// waited to the end.
func (c *Channel) sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	case <-c.ctx.Done():
		return false
	}
}
