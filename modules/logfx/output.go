package logfx

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// output writes lines to a file, or to stderr when there is none or it does not open.
type output struct {
	stderr io.Writer
	path   string

	mu      sync.Mutex
	file    *os.File
	stopped bool
}

func (o *output) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.open(); err != nil || o.path == "" {
		return o.stderr.Write(line)
	}
	n, err := o.file.Write(line)
	if o.stopped {
		err = errors.Join(err, o.close())
	}
	return n, err
}

func (o *output) start() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stopped = false
	if err := o.open(); err != nil {
		return fmt.Errorf("log file: %w", err)
	}
	return nil
}

func (o *output) stop() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stopped = true
	return o.close()
}

// open opens the file if there is one and it is not open yet.
func (o *output) open() error {
	if o.path == "" || o.file != nil {
		return nil
	}
	file, err := os.OpenFile(o.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	o.file = file
	return nil
}

func (o *output) close() error {
	if o.file == nil {
		return nil
	}
	err := o.file.Close()
	o.file = nil
	return err
}
