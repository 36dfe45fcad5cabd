package channel

import (
	"context"
	"errors"
	"io"
	"time"
)

const (
	// An ending channel goes on sending what is queued as long as the peer accepts
	// a chunk of it within drainPatience. When our node stops, that is all there is
	// to it; a peer that gave cause for the end has drainMost in all. Then at least
	// the frame that is being sent may end within frameTime: stock nodes ban a peer
	// whose stream ends inside one.
	drainPatience = 900 * time.Millisecond
	drainMost     = 900 * time.Millisecond
	drainStopping = time.Minute
	frameTime     = 500 * time.Millisecond
	// lingerTime and lingerBytes bound how long it then waits for the peer to
	// close: closing first, with something of the peer's unread, would make the
	// system throw away what the peer has not received yet.
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 16 << 20
)

// Close begins to end the channel, and says why; only the first reason counts.
// It does not block: Run returns when the end is reached.
func (c *Channel) Close(reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended.Load() {
		return
	}
	if errors.Is(reason, ErrDisconnected) {
		c.left = time.Now()
	}
	c.cancel(reason)
	c.ended.Store(true)
	c.queue.close()
	// The reader may sit in a read; a deadline in the past gets it out.
	_ = c.conn.SetReadDeadline(time.Unix(1, 0)) // fails only on a closed connection, which unblocks the reader as well
}

// Hurry makes a channel that is ending send no more than the rest of the frame
// that it is in.
func (c *Channel) Hurry() { c.queue.dropRest() }

// Abort ends the channel at once, even in the middle of a frame.
func (c *Channel) Abort(reason error) {
	c.Close(reason)
	_ = c.conn.Close() // there is nobody left to tell
}

// finish brings the connection to its end: everything queued is written, our
// half is closed, then the peer has a moment to close its own.
func (c *Channel) finish() {
	c.frames.Release()
	for _, f := range c.takeOnEnd() {
		f()
	}
	if c.worthDraining() && c.drain() && c.conn.CloseWrite() == nil && !errors.Is(c.Err(), ErrDisconnected) {
		c.linger()
	}
	_ = c.conn.Close() // all that could be lost has been waited for
	c.queue.writer.Wait()
	c.tasks.Wait()
}

// drain sends what is queued, or when that takes too long at least the rest of
// the frame that is being sent, and reports whether the stream is between two
// frames now.
func (c *Channel) drain() bool {
	most := drainMost
	if errors.Is(c.Err(), ErrStopped) {
		most = drainStopping
	}
	if c.queue.drain(drainPatience, most) {
		return true
	}
	c.queue.dropRest()
	return c.queue.drain(frameTime, frameTime)
}

// worthDraining is false when nobody reads at the other end.
func (c *Channel) worthDraining() bool {
	return !errors.Is(c.Err(), ErrWriteTimeout)
}

// linger reads and forgets until the peer closes or the limits are reached.
func (c *Channel) linger() {
	if c.conn.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(c.conn, lingerBytes)) // any end of it will do
}

// OnEnd calls f, once, when the channel ends, from the goroutine in Run. If it
// has ended already it is called at once.
func (c *Channel) OnEnd(f func()) {
	c.mu.Lock()
	if c.finished {
		c.mu.Unlock()
		f()
		return
	}
	c.onEnd = append(c.onEnd, f)
	c.mu.Unlock()
}

func (c *Channel) takeOnEnd() []func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	fs := c.onEnd
	c.onEnd, c.finished = nil, true
	return fs
}

// Go runs f on a goroutine of the channel's; f must return when its context
// ends, which is when the channel begins to end. Once that is so f is not run,
// and Go returns false. A panic in f ends the channel.
func (c *Channel) Go(f func(context.Context)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended.Load() {
		return false
	}
	c.tasks.Go(func() {
		var err error
		defer func() {
			if err != nil {
				c.Close(err)
			}
		}()
		defer c.recovered("", &err)
		f(c.ctx)
	})
	return true
}

// AfterFunc calls f after d on a goroutine of the channel's, unless the timer is
// stopped or the channel has ended by then.
func (c *Channel) AfterFunc(d time.Duration, f func(context.Context)) *time.Timer {
	return time.AfterFunc(d, func() { c.Go(f) })
}

// Err returns why the channel ended, or nil while it has not.
func (c *Channel) Err() error { return context.Cause(c.ctx) }

// Done is closed when the channel begins to end.
func (c *Channel) Done() <-chan struct{} { return c.ctx.Done() }
