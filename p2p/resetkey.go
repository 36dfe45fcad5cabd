package p2p

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"go.uber.org/zap"
)

// resetKeyFile is the file in the datastore by whose key a node that was restarted can tell its
// peers over QUIC that their connections are gone.
const resetKeyFile = "quic.key"

type resetKey [32]byte

// resetKey is the key in the file, which is made when there is none that can be used. Without
// a datastore, or when nothing can be written there, each start of the node has its own.
func (p *P2p) resetKey() (key [32]byte, err error) {
	if p.settings.Datastore == "" {
		return key, fs.ErrNotExist
	}
	path := filepath.Join(p.settings.Datastore, resetKeyFile)
	kept, err := readResetKey(path)
	if err == nil {
		return kept, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		p.log.Warn("Cannot use the key for QUIC; another takes its place", zap.String("file", path), zap.Error(err))
	}
	_, _ = rand.Read(kept[:]) // it never fails
	if err := kept.write(path); err != nil {
		p.log.Warn("Cannot keep the key for QUIC; peers will notice late when the node was killed", zap.String("file", path), zap.Error(err))
		return key, err
	}
	return kept, nil
}

func readResetKey(path string) (key resetKey, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return key, err
	}
	if !info.Mode().IsRegular() || info.Size() != int64(len(key)) {
		return key, fmt.Errorf("it is not a file of %d bytes", len(key)) // what is no file might not end
	}
	f, err := os.Open(path) //nolint:gosec // the settings say where
	if err != nil {
		return key, err
	}
	_, err = io.ReadFull(f, key[:])
	return key, errors.Join(err, f.Close())
}

// write replaces the file: whatever happens, there is the old or the new one.
func (k resetKey) write(path string) error {
	next := path + ".tmp"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // likewise
	if err != nil {
		return err
	}
	_, err = f.Write(k[:])
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(next, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(next))
	}
	return nil
}
