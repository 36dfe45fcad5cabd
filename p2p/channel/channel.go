// Package channel runs one connection to a peer.
//
// A Channel reads frames and brings each to the handler that subscribed to its
// command, writes the frames that are queued for the peer, and keeps both sides
// within the rates the protocol allows. It knows neither sessions nor protocols:
// those subscribe to commands before Run, and the last message of the handshake
// calls Open.
//
// An idle channel has one goroutine, the one that called Run. Others exist while
// there is something to write or a message waits for its handler; Run returns
// when all of them have ended.
package channel

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/addr"
	"dchat/p2p/dnet"
	"dchat/p2p/transport"
	"dchat/p2p/wire"
)

// Config says what a channel is and what it may use.
type Config struct {
	Magic [4]byte
	Kind  Kind

	// Addr is the address by which the peer is known: the one that was asked for
	// on a connection we made, the peer's socket address on one it made.
	Addr addr.Addr

	// HandshakeTimeout is how long after Run the channel must be open.
	HandshakeTimeout time.Duration
	// WriteTimeout is how long the peer may take to accept 32 KiB.
	WriteTimeout time.Duration
	// SendQueue is how many bytes may wait to be sent.
	SendQueue int
	// MaxMessage is the largest payload, in bytes, of commands without a limit.
	MaxMessage int

	Events *dnet.Bus
	Log    *zap.Logger
}

// Channel is one connection. Its methods may be called from any goroutine,
// unless they say otherwise.
type Channel struct {
	id      uint32
	cfg     Config
	conn    transport.Conn
	created time.Time
	queue   sendQueue
	count   counters

	ctx    context.Context // ends when the channel begins to end
	cancel context.CancelCauseFunc
	tasks  sync.WaitGroup // what the channel started, but for its writer
	open   atomic.Bool
	ended  atomic.Bool // Close was called; changed under mu

	// of the goroutine in Run
	frames    *wire.FrameReader
	early     []earlyMessage
	earlySize int

	// subs are few. The slice is replaced, never changed, so that each message
	// finds its own without a lock.
	subs atomic.Pointer[[]*subscription]

	mu        sync.Mutex
	threshold int // the sum of the thresholds of subs
	received  meter
	sent      meter
	onEnd     []func()
	finished  bool      // onEnd has been taken
	left      time.Time // when the peer left, if that is why the channel ended
	remote    wire.Version
}

type counters struct {
	bytesIn, bytesOut, messagesIn, messagesOut, dropped, refused atomic.Uint64
}

// New makes a channel of a connection, which is the channel's from then on. It
// starts nothing; Run does.
func New(conn transport.Conn, cfg Config) *Channel {
	c := &Channel{
		id:      rand.Uint32N(1<<32-1) + 1,
		cfg:     cfg,
		created: time.Now(),
	}
	c.conn = &guarded{conn, c}
	c.frames = wire.NewFrameReader(c.conn, cfg.Magic)
	c.subs.Store(new([]*subscription))
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.queue.init(c.conn, cfg.SendQueue, cfg.WriteTimeout, &c.count, c.Close)
	return c
}

// Run calls begin, which says the first word to the peer, and reads from the
// peer until the channel ends: because begin or a handler failed, the peer left
// or broke the rules, the handshake took too long, or Close was called. It then
// sends what is still queued as long as the peer takes it, closes the connection
// between two frames, waits for all that the channel started, and returns why the
// channel ended, never nil.
func (c *Channel) Run(begin func() error) error {
	err := c.conn.SetReadDeadline(time.Now().Add(c.cfg.HandshakeTimeout))
	if err == nil {
		err = c.apart(begin)
	}
	if err == nil {
		err = c.read()
	}
	c.Close(err)
	c.finish()
	return c.Err()
}

// apart runs f on a goroutine of its own and waits for it. The handshake goes
// deep, and the stack it needs would stay with the reader for as long as the
// channel lives.
func (c *Channel) apart(f func() error) error {
	done := make(chan error, 1)
	c.tasks.Go(func() {
		var err error
		defer func() { done <- err }()
		defer c.recovered("", &err)
		err = f()
	})
	return <-done
}

// read handles frame after frame and returns why it stopped. Every idle channel
// waits here, so it keeps little on the stack; what needs more is in receive.
func (c *Channel) read() error {
	var last *subscription // of the message before, mostly that of the next one too
	for {
		header, err := c.frames.Next()
		if err != nil {
			return c.disconnection(err)
		}
		if last, err = c.receive(header, last); err != nil {
			return err
		}
	}
}

// receive handles the frame that a header begins, and returns its subscription. It
// and find are not inlined, so that the stack of a reader that waits stays small.
//
//go:noinline
func (c *Channel) receive(header wire.Header, last *subscription) (*subscription, error) {
	s, err := c.find(header, last)
	if err != nil {
		return nil, err
	}
	size := header.Size()
	payload, err := c.frames.Payload(s.limit)
	if err != nil {
		return nil, c.disconnection(err)
	}
	if c.ended.Load() {
		return nil, c.Err()
	}
	c.count.messagesIn.Add(1)
	c.count.bytesIn.Add(uint64(size + len(payload)))
	c.emit(dnet.Recv, s.Spec.Command)
	return s, c.deliver(s, payload)
}

// find returns the subscription of a message.
//
//go:noinline
func (c *Channel) find(header wire.Header, last *subscription) (*subscription, error) {
	if last != nil && last.Spec.Command == string(header.Command) {
		return last, nil
	}
	if s := c.subscription(string(header.Command)); s != nil {
		return s, nil
	}
	return nil, &wire.Error{Kind: wire.UnknownCommand, Command: string(header.Command)}
}

// disconnection says what a failed read means.
func (c *Channel) disconnection(err error) error {
	switch {
	case err == io.EOF: //nolint:errorlint // wrapped it would be the end inside a frame
		return ErrDisconnected
	case errors.Is(err, os.ErrDeadlineExceeded) && !c.open.Load():
		return ErrHandshakeTimeout
	}
	return err
}

// Open ends the handshake: start runs, then what came too early is handled, and
// from then on messages are handled as they come. It must be called from a
// handler marked Handshake; an error of start's ends the channel.
func (c *Channel) Open(remote wire.Version, start func() error) error {
	if err := c.opened(remote); err != nil {
		return err
	}
	if err := start(); err != nil {
		return err
	}
	return c.handleEarly()
}

func (c *Channel) opened(remote wire.Version) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended.Load() {
		return ErrClosed
	}
	c.remote = remote
	c.open.Store(true)
	return c.conn.SetReadDeadline(time.Time{})
}

// Send encodes a message and queues it, after the pause that metering asks for
// before a command that was sent too often; other commands do not wait. The error
// is ErrNotSpoken, ErrQueueFull, ErrClosed, that of ctx, or wire.ErrTooLarge. It must
// not be called for a metered command from a handler that runs on the reader.
func (c *Channel) Send(ctx context.Context, m wire.Message) error {
	f, err := newFrame(c.cfg.Magic, m)
	if err != nil {
		return err
	}
	delay, err := c.meterSent(&f)
	if err != nil {
		return err
	}
	if !c.sleep(ctx, delay) {
		return cmp.Or(ctx.Err(), ErrClosed)
	}
	return c.push(&f)
}

// queueFrame queues a frame that is shared with other channels. It never blocks:
// where metering asks for a pause the frame is queued after it.
func (c *Channel) queueFrame(f *frame) error {
	delay, err := c.meterSent(f)
	if err != nil {
		return err
	}
	if delay == 0 {
		return c.push(f)
	}
	later := *f // so that f itself need not outlive the call
	ran := c.Go(func(ctx context.Context) {
		if !c.sleep(ctx, delay) || c.push(&later) != nil {
			later.block.release(1) // push counts it as refused, and there is nobody to tell
		}
	})
	if !ran {
		return ErrClosed
	}
	return nil
}

// meterSent counts a message to be sent and says how long it has to wait.
func (c *Channel) meterSent(f *frame) (time.Duration, error) {
	s := c.subscription(f.command)
	if s == nil {
		return 0, ErrNotSpoken
	}
	if s.Spec.Metering.Threshold == 0 {
		return 0, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	total, _ := c.sent.add(s, time.Since(c.created))
	return sendDelay(total, s.Spec.Metering), nil
}

func (c *Channel) push(f *frame) error {
	if err := c.queue.add(f.span, urgent(f.command)); err != nil {
		c.count.refused.Add(1)
		return err
	}
	c.count.messagesOut.Add(1)
	c.emit(dnet.Send, f.command)
	return nil
}

// urgent names the commands whose delay would end the channel.
func urgent(command string) bool {
	switch command {
	case wire.CommandPing, wire.CommandPong, wire.CommandVersion, wire.CommandVerack:
		return true
	}
	return false
}

// Room waits until a frame of n bytes fits into the send queue, the channel has
// ended, the peer has read nothing for two seconds, or ctx ends.
func (c *Channel) Room(ctx context.Context, n int) { c.queue.room(ctx, n) }

func (c *Channel) emit(name, command string) {
	if c.cfg.Events.Enabled() {
		c.cfg.Events.Emit(dnet.Event{Name: name, Addr: c.cfg.Addr, Channel: c.id, Command: command, Time: time.Now()})
	}
}
