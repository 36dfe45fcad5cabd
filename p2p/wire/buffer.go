package wire

import (
	"math/bits"
	"sync"
)

// The sizes of a reader's buffer. While little comes it is the idle one, which belongs to the reader. The others are borrowed
// from the pools; their sizes are powers of two.
const (
	idleSize  = 352        // holds every header
	poolSize  = 8 << 10    // the least to borrow
	batchSize = 64 << 10   // many small frames are read into this at once, and only a larger payload asks for more
	growth    = 16         // a buffer that a single read filled is exchanged for one that is larger by this factor
	shrinkage = growth / 2 // and one that has become too large by this factor for a smaller one
)

// Every header fits in the idle buffer.
const _ = uint(idleSize - maxHeader)

// pools holds the buffers that no reader needs at present: pools[i] those of poolSize<<i bytes, up to 8 MiB. Larger ones are
// left to the garbage collector.
var pools [11]sync.Pool

// roundUp returns the size of the smallest buffer that holds size bytes.
func roundUp(size int) int {
	if size <= idleSize {
		return idleSize
	}
	return poolSize << class(size)
}

// borrow returns a buffer of roundUp(size) bytes with arbitrary content, where size is over idleSize.
func borrow(size int) *[]byte {
	c := class(size)
	if c < len(pools) {
		if b, ok := pools[c].Get().(*[]byte); ok {
			return b
		}
	}
	b := make([]byte, poolSize<<c)
	return &b
}

// giveBack takes a buffer that borrow returned. Nobody may use it any more.
func giveBack(b *[]byte) {
	if c := class(len(*b)); c < len(pools) {
		pools[c].Put(b)
	}
}

// class returns the least c for which poolSize<<c is not below size.
func class(size int) int {
	return bits.Len(uint(max(size, 1)-1) / poolSize)
}
