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
	largeLine  = 64 << 10 // a line that has grown beyond this is no longer waited for without limit
	writeChunk = 64 << 10 // so many bytes share a write deadline: a long reply to a slow reader is no failure
)

var (
	errLineTooLong = errors.New("line too long")
	errNotJSON     = errors.New("not JSON")
)

// lineReader cuts a stream into lines. Its memory grows as bytes come, up to the longest line.
type lineReader struct {
	br    *bufio.Reader
	max   int    // longest line in bytes, its end not counted
	large func() // called when a line outgrows largeLine
}

func newLineReader(r io.Reader, longest int, large func()) *lineReader {
	return &lineReader{bufio.NewReaderSize(r, 4<<10), longest, large}
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
		if r.large != nil && len(line) <= largeLine && len(line)+len(part) > largeLine {
			r.large()
		}
		line = append(line, part...)
		if len(line) > r.max+len("\r\n") {
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

// writeLine writes text and a line end. Every writeChunk of it has its own time to get out. After
// an error the stream may end inside a line.
func writeLine(nc net.Conn, text []byte, timeout time.Duration) error {
	for chunk := range slices.Chunk(append(text, "\r\n"...), writeChunk) {
		if err := nc.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
			return err
		}
		if _, err := nc.Write(chunk); err != nil {
			return err
		}
	}
	return nil
}
