package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"dchat/chat"
)

// Room is the chat that a conversation is held in: a daemon's, or one in this
// process.
type Room interface {
	// Send sends a text and says for how many peers it was taken.
	Send(ctx context.Context, text string) (chat.Receipt, error)
	// Next waits for the next text, the sent ones too, and says how many before it
	// are no longer kept. It is called by one goroutine.
	Next(ctx context.Context) (e chat.Entry, missed uint64, err error)
}

// console is where a conversation is held. Its notes are also written by the room.
type console struct {
	lines       func() (string, error) // waits for the next line; io.EOF is the end
	texts       io.Writer              // for what is said
	notes       io.Writer              // for what becomes of it
	interactive bool                   // who typed a line sees it already
}

// note tells the user something that is not part of the chat.
func (c console) note(format string, args ...any) {
	_, _ = fmt.Fprintf(c.notes, "-- %s\n", escape(fmt.Sprintf(format, args...))) // a note that is lost harms nothing
}

// conversation sends what is typed, one line after the other, and shows what is
// said.
type conversation struct {
	room Room
	console
	unsent error // why a line was not sent, the last time

	sending bool              // a line is on its way
	mine    map[uint64]string // lines sent whose entry is still to come, by its number
	held    []heard           // entries that came while a line was on its way, and may be its own
}

func newConversation(room Room, c console) *conversation {
	return &conversation{room: room, console: c, mine: make(map[uint64]string)}
}

// heard is a text of the room.
type heard struct {
	entry  chat.Entry
	missed uint64
	err    error
}

// sent is what became of a line.
type sent struct {
	text    string
	receipt chat.Receipt
	err     error
}

// slow is how long a line may be on its way before the user is told to wait.
const slow = 3 * time.Second

// run talks until the lines end, when all have been sent, or ctx does; neither is
// an error. It fails when the room or the console does.
func (c *conversation) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	texts, results := make(chan heard), make(chan sent, 1)
	var working sync.WaitGroup
	defer working.Wait()
	defer cancel()
	working.Go(func() { c.listen(ctx, texts) })
	lines := readLines(ctx, c.lines)
	var late <-chan time.Time
	for {
		input := lines
		if c.sending {
			input = nil
		}
		var err error
		select {
		case line := <-input:
			switch {
			case errors.Is(line.err, io.EOF):
				return nil
			case errors.Is(line.err, errLineTooLong):
				c.failed(line.err)
			case line.err != nil:
				return line.err
			case strings.TrimSpace(line.text) != "":
				c.sending, late = true, time.After(slow)
				working.Go(func() {
					r, err := c.room.Send(ctx, line.text)
					results <- sent{line.text, r, err}
				})
			}
		case s := <-results:
			late = nil
			err = c.report(s)
		case <-late:
			c.note("the last line is still on its way: the daemon, or a peer that reads slowly, takes its time")
		case h := <-texts:
			err = c.hear(h)
		case <-ctx.Done():
		}
		switch {
		case ctx.Err() != nil && c.sending:
			c.note("left before it was known whether the last line was sent")
			return nil
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
	}
}

func (c *conversation) listen(ctx context.Context, texts chan<- heard) {
	for {
		var h heard
		h.entry, h.missed, h.err = c.room.Next(ctx)
		select {
		case texts <- h:
		case <-ctx.Done():
			return
		}
		if h.err != nil {
			return
		}
	}
}

// report says what became of a line. The error is that of the console.
func (c *conversation) report(s sent) error {
	c.sending = false
	var errs []error
	if s.err != nil {
		c.failed(s.err)
	} else {
		c.mine[s.receipt.Seq] = s.text
		if !c.interactive {
			errs = append(errs, c.print(chat.Entry{Time: time.Now(), Direction: chat.Sent, Text: s.text}))
		}
		c.note("sent to %s", count(s.receipt.Peers, "peer"))
	}
	held := c.held
	c.held = nil
	for _, h := range held {
		errs = append(errs, c.hear(h))
	}
	return errors.Join(errs...)
}

func (c *conversation) failed(err error) {
	c.unsent = err
	switch {
	case errors.Is(err, chat.ErrNoPeers):
		c.note("nobody is connected: not sent")
	case unsure(err):
		c.note("%v", err)
	default:
		c.note("not sent: %v", err)
	}
}

// hear shows what was said. The error is that of the room or the console.
func (c *conversation) hear(h heard) error {
	switch {
	case h.err != nil:
		return h.err
	case h.entry.Direction == chat.Sent && c.sending:
		c.held = append(c.held, h)
		return nil
	}
	if h.missed > 0 {
		c.note("missing here: %s, no longer kept", count(h.missed, "text"))
	}
	if text, ok := c.mine[h.entry.Seq]; ok && h.entry.Direction == chat.Sent && h.entry.Text == text {
		delete(c.mine, h.entry.Seq)
		return nil
	}
	return c.print(h.entry)
}

func (c *conversation) print(e chat.Entry) error {
	_, err := fmt.Fprintln(c.texts, entryLine(e))
	return err
}
