package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"dchat/chat"
)

// errLineTooLong says that a line cannot be taken; those behind it can.
var errLineTooLong = errors.New("the line is too long")

// lineReader cuts an input into lines.
type lineReader struct{ r *bufio.Reader }

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{bufio.NewReaderSize(r, chat.MaxSend+len("\r\n"))}
}

// next returns the next line without its end. The error is io.EOF behind the last
// one, an errLineTooLong for a line that could not be sent, or that of the input.
func (l *lineReader) next() (string, error) {
	line, err := l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = l.r.ReadSlice('\n')
		}
		return "", fmt.Errorf("%w: at most %d bytes can be sent", errLineTooLong, chat.MaxSend)
	}
	if err != nil && (len(line) == 0 || !errors.Is(err, io.EOF)) {
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r"), nil
}

// typed is a line, or why there is none.
type typed struct {
	text string
	err  error
}

// readLines calls next until it fails or ctx ends. Nothing can end a read of a
// terminal or a pipe that is under way, so nobody waits for the goroutine: it ends
// with the input, or with the process.
func readLines(ctx context.Context, next func() (string, error)) <-chan typed {
	lines := make(chan typed, 64) // ahead, so that a Ctrl-C behind many pasted lines is noticed
	go func() {
		for {
			text, err := next()
			select {
			case lines <- typed{text, err}:
			case <-ctx.Done():
				return
			}
			if err != nil && !errors.Is(err, errLineTooLong) {
				return
			}
		}
	}()
	return lines
}
