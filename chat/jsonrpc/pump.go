package jsonrpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// pump reads the lines of a stream in a goroutine of its own, one ahead of its user, so that
// waiting for one can be given up without losing it.
type pump struct {
	source io.Closer
	lines  chan []byte
	quit   chan struct{}
	ended  chan struct{} // closed when the goroutine ends
	err    error         // why; to be read after ended
	once   sync.Once
}

// newPump reads source until it ends or close is called. Closing source must unblock a read of it.
func newPump(source io.ReadCloser) *pump {
	p := &pump{source: source, lines: make(chan []byte), quit: make(chan struct{}), ended: make(chan struct{})}
	go p.run(newLineReader(source, maxReply, nil))
	return p
}

func (p *pump) run(lines *lineReader) {
	defer close(p.ended)
	for {
		line, err := lines.next()
		if err != nil {
			p.err = err
			return
		}
		select {
		case p.lines <- line:
		case <-p.quit:
			p.err = io.ErrClosedPipe
			return
		}
	}
}

// next waits for the next line.
func (p *pump) next(ctx context.Context) ([]byte, error) {
	select {
	case line := <-p.lines:
		return line, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.ended:
		return nil, p.failure()
	}
}

// failure says why there are no more lines, or nil while there may be.
func (p *pump) failure() error {
	select {
	case <-p.ended:
	default:
		return nil
	}
	if errors.Is(p.err, errNotJSON) || errors.Is(p.err, errLineTooLong) {
		return fmt.Errorf("%w: %w", ErrProtocol, p.err)
	}
	return fmt.Errorf("%w: %w", ErrDisconnected, p.err)
}

// close closes the source and joins the goroutine.
func (p *pump) close() error {
	p.once.Do(func() { close(p.quit) })
	err := p.source.Close()
	<-p.ended
	return err
}
