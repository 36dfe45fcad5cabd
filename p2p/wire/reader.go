package wire

import (
	"errors"
	"fmt"
	"io"
)

// A FrameReader reads frames from a stream. While little comes it owns half a KiB. After a read that filled its buffer it
// borrows a larger one from those that all readers share, of at most 64 KiB, or of twice the bytes that have come of one
// payload where that is more; after a read that did not it gives back what it does not need. In a steady state it allocates
// nothing.
//
// Next and Payload are called in turns. After an error both return it again. A FrameReader is not safe for concurrent use.
type FrameReader struct {
	r     io.Reader
	magic [4]byte

	buf      []byte // idle or *borrowed
	pos, end int    // buf[pos:end] has been read from r and not yet returned
	borrowed *[]byte
	filled   bool  // the last read filled buf, so more is likely to be waiting
	readErr  error // of r, to be returned when buf is used up
	err      error

	command   []byte
	length    uint64 // of the payload
	inPayload bool   // Payload is to be called
	idle      [idleSize]byte
}

// NewFrameReader returns a reader of the frames of r. It reads from r only inside Next and Payload, and possibly more than
// they return. Deadlines are the business of whoever owns r.
func NewFrameReader(r io.Reader, magic [4]byte) *FrameReader {
	fr := &FrameReader{r: r, magic: magic}
	fr.buf = fr.idle[:]
	return fr
}

var (
	errNotInTurn = errors.New("wire: FrameReader: Next and Payload not called in turns")
	errReleased  = errors.New("wire: FrameReader: used after Release")
)

// Next waits for the header of the next frame. It makes the command and the payload returned before invalid.
//
// The error is io.EOF itself when the stream ends between two frames, one that wraps io.ErrUnexpectedEOF when it ends inside
// a frame, one that wraps the stream's when reading fails otherwise, and an *Error when the header is wrong: BadMagic,
// BadHeader, CommandTooLong, or BadPayload for a payload length that is not in its shortest form.
func (fr *FrameReader) Next() (Header, error) {
	if fr.inPayload && fr.err == nil {
		return Header{}, errNotInTurn
	}
	for fr.err == nil {
		h, size, err := parseHeader(fr.buf[fr.pos:fr.end], fr.magic)
		if err != nil {
			fr.fail(err)
			break
		}
		if size == 0 {
			fr.fill()
			continue
		}
		fr.pos += size
		fr.command = append(fr.command[:0], h.Command...)
		fr.length = h.Length
		fr.inPayload = true
		return Header{Command: fr.command, Length: h.Length}, nil
	}
	return Header{}, fr.err
}

// Payload waits for the payload of the frame whose header Next returned last. It is valid until the next call of Next or
// Release; nothing is copied where the buffer holds all of it. A payload of more than limit bytes is an *Error of kind
// BadPayload at once, without waiting or allocating for it. The other errors are those of Next for a connection that fails.
func (fr *FrameReader) Payload(limit int) ([]byte, error) {
	if !fr.inPayload && fr.err == nil {
		return nil, errNotInTurn
	}
	if fr.err == nil && fr.length > uint64(max(limit, 0)) {
		reason := fmt.Sprintf("%d bytes, limit %d", fr.length, limit)
		fr.fail(&Error{Kind: BadPayload, Command: string(fr.command), Reason: reason})
	}
	for fr.err == nil {
		if uint64(fr.end-fr.pos) < fr.length {
			fr.fill()
			continue
		}
		size := int(fr.length)
		payload := fr.buf[fr.pos : fr.pos+size : fr.pos+size]
		fr.pos += size
		fr.inPayload = false
		return payload, nil
	}
	return nil, fr.err
}

// Release gives borrowed buffers back when the reader is no longer needed. The reader and what it returned last must not be
// used afterwards. It may be called more than once.
func (fr *FrameReader) Release() { fr.fail(errReleased) }

// fill reads once from the stream, or sets fr.err.
func (fr *FrameReader) fill() {
	fr.resize(fr.demand())
	for range 100 {
		if fr.readErr != nil {
			fr.fail(fr.connectionError())
			return
		}
		var n int
		n, fr.readErr = fr.r.Read(fr.buf[fr.end:])
		fr.end += n
		fr.filled = fr.end == len(fr.buf)
		if n > 0 {
			return
		}
	}
	fr.readErr = io.ErrNoProgress
	fr.fail(fr.connectionError())
}

// demand returns how many bytes the buffer should have for the next read. It depends on what has come, never on what a header
// claims: more than before when the last read filled the buffer, and else little more than what waits to be completed.
func (fr *FrameReader) demand() int {
	pending := fr.end - fr.pos
	size := len(fr.buf)
	switch {
	case fr.filled:
		return max(pending+1, min(size*growth, batchSize))
	case pending < idleSize:
		return idleSize
	case pending < size/shrinkage:
		return pending + 1
	default:
		return max(pending+1, size)
	}
}

// resize moves what is pending to the beginning of the smallest buffer of at least size bytes. No view of the present buffer
// may be in use.
func (fr *FrameReader) resize(size int) {
	old, pending := fr.borrowed, fr.buf[fr.pos:fr.end]
	if roundUp(size) == len(fr.buf) {
		if fr.pos == 0 {
			return
		}
		old = nil
	} else if size <= idleSize {
		fr.buf, fr.borrowed = fr.idle[:], nil
	} else {
		fr.borrowed = borrow(size)
		fr.buf = *fr.borrowed
	}
	fr.pos, fr.end = 0, copy(fr.buf, pending)
	if old != nil {
		giveBack(old)
	}
}

// connectionError says what the end of the stream means at this place.
func (fr *FrameReader) connectionError() error {
	switch {
	case !errors.Is(fr.readErr, io.EOF):
		return fmt.Errorf("wire: read: %w", fr.readErr)
	case fr.inPayload || fr.pos < fr.end:
		return fmt.Errorf("wire: connection ended inside a frame: %w", io.ErrUnexpectedEOF)
	default:
		return io.EOF
	}
}

// fail ends the reader with its first error and gives back the buffer, of which no view is in use then.
func (fr *FrameReader) fail(err error) {
	if fr.err == nil {
		fr.err = err
	}
	fr.pos, fr.end = 0, 0
	fr.resize(0)
}
