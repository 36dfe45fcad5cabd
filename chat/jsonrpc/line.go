package jsonrpc

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

const (
	lineEnd    = "\r\n"   // of every line that is sent
	largeLine  = 64 << 10 // a line that has grown beyond this is no longer waited for without limit
	hugeLine   = 1 << 20  // only maxHuge requests that have grown beyond this are in memory at a time
	writeChunk = 64 << 10 // so many bytes share a write deadline: a long reply to a slow reader is no failure
)

var (
	errLineTooLong = errors.New("line too long")
	errNotJSON     = errors.New("not JSON")
)

// lineReader cuts a stream into lines. Its memory grows as bytes come, up to the longest line.
type lineReader struct {
	br       *bufio.Reader
	max      int                   // longest line in bytes, its end not counted
	outgrown func(limit int) error // called when a line outgrows largeLine, and again hugeLine; nil: nobody asks
}

func newLineReader(r io.Reader, longest int, outgrown func(limit int) error) *lineReader {
	return &lineReader{bufio.NewReaderSize(r, 4<<10), longest, outgrown}
}

// next returns the next line without its end; what comes last, without an end, is a line too unless
// it is blank. io.EOF is a clean end. A first byte that can begin no JSON text is an error at once,
// whether or not its line ever ends.
func (r *lineReader) next() ([]byte, error) {
	first, err := r.br.Peek(1)
	if err != nil {
		return nil, err
	}
	if strings.IndexByte("{[\"-0123456789tfn"+whiteSpace, first[0]) < 0 {
		return nil, errNotJSON
	}
	var line []byte
	for {
		part, err := r.br.ReadSlice('\n')
		for _, limit := range []int{largeLine, hugeLine} {
			if r.outgrown == nil || len(line) > limit || len(line)+len(part) <= limit {
				continue
			}
			if err := r.outgrown(limit); err != nil {
				return nil, err
			}
		}
		line = append(line, part...)
		if len(line) > r.max+len(lineEnd) {
			return nil, errLineTooLong
		}
		switch {
		case err == nil, errors.Is(err, io.EOF) && len(bytes.TrimSpace(line)) > 0:
			line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
			if len(line) > r.max {
				return nil, errLineTooLong
			}
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// writeChunks writes text. Every writeChunk of it has its own time to get out. After an error the
// stream may end inside a line.
func writeChunks(nc net.Conn, text []byte, timeout time.Duration) error {
	for chunk := range slices.Chunk(text, writeChunk) {
		if err := nc.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
			return err
		}
		if _, err := nc.Write(chunk); err != nil {
			return err
		}
	}
	return nil
}
