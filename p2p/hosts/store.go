package hosts

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"dchat/p2p/addr"
)

const (
	// mostRead is how much of a file is read: more than full lists take.
	mostRead = 8 << 20
	// longestLine is more than a line with the longest address takes.
	longestLine = addr.MaxLen + 64
)

// store is the host list file. Its lock keeps two calls from using the file at
// the same time, and nobody else from anything.
type store struct {
	path string

	mu   sync.Mutex
	held *os.File // the locked lock file, or nil
}

// read calls visit with every line that is neither empty nor a comment, and
// with an empty one for each that is too long.
func (s *store) read(ctx context.Context, visit func(line []byte)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	lockErr := s.lock()
	if locked := (*LockedError)(nil); errors.As(lockErr, &locked) {
		return lockErr
	}
	f, err := s.open()
	if err != nil {
		return errors.Join(lockErr, fmt.Errorf("host list: %w", err))
	}
	err = readLines(ctx, io.LimitReader(f, mostRead), visit)
	return errors.Join(lockErr, err, f.Close())
}

// open refuses what is no file, since it might not end.
func (s *store) open() (*os.File, error) {
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.OpenFile(s.path, os.O_RDONLY|os.O_CREATE, 0o600)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", s.path)
	}
	return os.Open(s.path)
}

func readLines(ctx context.Context, from io.Reader, visit func(line []byte)) error {
	r := bufio.NewReaderSize(from, longestLine)
	tooLong := false
	for {
		line, err := r.ReadSlice('\n')
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			tooLong = true
			continue
		case tooLong:
			tooLong = false
			visit(nil)
		default:
			line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
			if len(line) > 0 && line[0] != '#' {
				visit(line)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("host list: %w", err)
		}
	}
}

// write replaces the file: whatever happens, there is the old or the new one.
func (s *store) write(ctx context.Context, content []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.lock(); err != nil {
		return err
	}
	err := s.writeNext(content)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = os.Rename(s.next(), s.path)
	}
	if err != nil {
		return fmt.Errorf("host list not saved: %w", errors.Join(err, os.Remove(s.next())))
	}
	if err := s.syncDir(); err != nil {
		return fmt.Errorf("host list: %w", err)
	}
	return nil
}

// next is what will replace the file. It has one name, so that what a crash leaves
// behind is overwritten.
func (s *store) next() string { return s.path + ".tmp" }

func (s *store) writeNext(content []byte) error {
	f, err := os.OpenFile(s.next(), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// backup keeps the file as it is now under another name; saving replaces the
// one, not the other.
func (s *store) backup() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.path + ".bak"
	err := os.Remove(kept)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = os.Link(s.path, kept)
	}
	if err != nil {
		return fmt.Errorf("host list: no backup: %w", err)
	}
	return nil
}

// lock takes the file for this process; again does nothing.
func (s *store) lock() error {
	if s.held != nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return fmt.Errorf("host list: %w", err)
	}
	f, err := os.OpenFile(s.path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("host list: %w", err)
	}
	if taken, err := lockFile(f); err != nil || taken {
		if taken {
			err = &LockedError{File: s.path, Process: readProcess(f)}
		}
		return errors.Join(err, f.Close())
	}
	s.held = f
	return writeProcess(f)
}

// The lock file holds the id of the process that has it, for the others' error.
func writeProcess(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return err
}

func readProcess(f *os.File) (id int) {
	var text [16]byte
	n, _ := f.ReadAt(text[:], 0) // nothing read is no process
	_, _ = fmt.Sscan(string(text[:n]), &id)
	return id
}

func (s *store) unlock() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == nil {
		return nil
	}
	err := s.held.Close() // gives up the lock
	s.held = nil
	return err
}
