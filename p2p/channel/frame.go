package channel

import (
	"sync"
	"sync/atomic"

	"dchat/p2p/wire"
)

// frame is one encoded message. The channels on which it waits to be sent share
// its bytes.
type frame struct {
	command string
	span
}

// span is where the bytes of one frame are, or of several that follow one
// another. Queues hold them.
type span struct {
	block      *block
	start, end int32
	frames     int32
}

func (s span) size() int { return int(s.end - s.start) }

func (s span) bytes() []byte { return s.block.buf[s.start:s.end] }

func (s span) release() { s.block.release(int64(s.frames)) }

// newFrame encodes a message into a block of its own.
func newFrame(magic [4]byte, m wire.Message) (frame, error) {
	b, err := wire.AppendFrame(nil, magic, m)
	return frame{command: m.Spec().Command, span: span{block: &block{buf: b}, end: int32(len(b)), frames: 1}}, err
}

// blockSize is the room in one block of an Encoder. A frame of more than a quarter
// of it has a block of its own.
const blockSize = 32 << 10

// block holds the bytes of frames, one after the other, until the last of them
// has been sent everywhere. One of blockSize is used again then; its users are
// counted, and its Encoder counts as filling many while it fills it. Any other is
// left to the garbage collector.
type block struct {
	buf   []byte
	users atomic.Int64
}

const filling = 1 << 40

var blocks = sync.Pool{New: func() any { return &block{buf: make([]byte, blockSize)} }}

func (b *block) release(n int64) {
	if b.users.Add(-n) == 0 && len(b.buf) == blockSize {
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

// Broadcast encodes a message and queues it on those of the channels that speak
// its command and have room; it returns how many they are. It waits for none. The
// error says that the message is over its command's limit, which is our fault.
func (e *Encoder) Broadcast(m wire.Message, channels []*Channel) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var f frame
	if err := e.encode(m, &f); err != nil {
		return 0, err
	}
	queued := 0
	for _, ch := range channels {
		if ch.queueFrame(&f) == nil { // the channel counts those it refuses
			queued++
		}
	}
	// Some may have been sent already: until the block is retired, which takes the
	// lock, it cannot run out of users.
	f.block.users.Add(int64(queued))
	return queued, nil
}

// encode appends the frame of a message to the block, or to a fresh one, or makes
// one of its own for it.
func (e *Encoder) encode(m wire.Message, f *frame) error {
	f.command, f.frames = m.Spec().Command, 1
	for fresh := false; ; fresh = true {
		if e.block == nil {
			e.block, e.used = blocks.Get().(*block), 0
			e.block.users.Store(filling)
			fresh = true
		}
		tail := e.block.buf[e.used:e.used]
		b, err := wire.AppendFrame(tail, e.magic, m)
		if err != nil {
			return err
		}
		if len(b) <= cap(tail) {
			f.block, f.start = e.block, int32(e.used)
			e.used += len(b)
			f.end = int32(e.used)
			return nil
		}
		if fresh || len(b) > blockSize/4 {
			f.block, f.start, f.end = &block{buf: b}, 0, int32(len(b))
			return nil
		}
		e.block.release(filling)
		e.block = nil
	}
}
