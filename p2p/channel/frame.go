package channel

import (
	"sync"
	"sync/atomic"

	"dchat/p2p/wire"
)

// Frame is one encoded message. The channels on which it waits to be sent share
// its bytes. A Frame of an Encoder must be released once by whoever encoded it.
type Frame struct {
	command string
	span
}

// span is where the bytes of a frame are. Queues hold many of them.
type span struct {
	block      *block
	start, end int32
}

// Len returns the size of the frame in bytes.
func (s span) Len() int { return int(s.end - s.start) }

func (s span) bytes() []byte { return s.block.buf[s.start:s.end] }

// Release gives up the reference that Encode returned.
func (s span) Release() { s.block.release(1) }

// newFrame encodes a message into a block of its own.
func newFrame(magic [4]byte, m wire.Message) (Frame, error) {
	b, err := wire.AppendFrame(nil, magic, m)
	return ownBlock(m, b), err
}

func ownBlock(m wire.Message, b []byte) Frame {
	own := &block{buf: b}
	own.refs.Store(1)
	return Frame{command: m.Spec().Command, span: span{block: own, end: int32(len(b))}}
}

// blockSize is the room in one block of an Encoder. A frame of more than a quarter
// of it has a block of its own.
const blockSize = 32 << 10

// block holds the bytes of frames, one after the other, until the last of them
// has been sent everywhere.
type block struct {
	buf  []byte
	refs atomic.Int64
}

var blocks = sync.Pool{New: func() any { return &block{buf: make([]byte, blockSize)} }}

func (b *block) release(n int64) {
	if b.refs.Add(-n) == 0 && len(b.buf) == blockSize {
		blocks.Put(b)
	}
}

// Encoder encodes messages that go to many channels, each once, without
// allocating. It is safe for concurrent use.
type Encoder struct {
	magic [4]byte
	mu    sync.Mutex
	block *block // being filled; nil: none
	used  int    // of its bytes
}

// NewEncoder makes an encoder of frames that begin with magic.
func NewEncoder(magic [4]byte) *Encoder { return &Encoder{magic: magic} }

// Encode encodes a message. The error says that the message is over its
// command's limit, which is our fault.
func (e *Encoder) Encode(m wire.Message) (Frame, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for fresh := false; ; fresh = true {
		if e.block == nil {
			e.block, e.used = blocks.Get().(*block), 0
			e.block.refs.Store(1)
		}
		tail := e.block.buf[e.used:e.used]
		b, err := wire.AppendFrame(tail, e.magic, m)
		if err != nil {
			return Frame{}, err
		}
		if len(b) <= cap(tail) {
			start := e.used
			e.used += len(b)
			e.block.refs.Add(1)
			return Frame{command: m.Spec().Command, span: span{e.block, int32(start), int32(e.used)}}, nil
		}
		if fresh || len(b) > blockSize/4 {
			return ownBlock(m, b), nil
		}
		e.block.release(1)
		e.block = nil
	}
}
