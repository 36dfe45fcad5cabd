package chat

import (
	"errors"
	"fmt"
)

// Settings bound the history of one run.
type Settings struct {
	// HistoryMessages is how many texts are kept: 1 to 10,000,000, default 10,000.
	HistoryMessages int
	// HistoryBytes is how much memory they may take, in bytes, each text with
	// 128 bytes on top: 2 MiB to 16 GiB, default 16 MiB.
	HistoryBytes int
}

// DefaultSettings returns the defaults.
func DefaultSettings() Settings {
	return Settings{HistoryMessages: 10_000, HistoryBytes: 16 << 20}
}

// Validate returns every fault, joined. Each names the field, its value and what
// it should be.
func (s Settings) Validate() error {
	within := func(field string, value, low, high int) error {
		if value < low || value > high {
			return fmt.Errorf("%s is %d: give a number from %d to %d", field, value, low, high)
		}
		return nil
	}
	return errors.Join(
		within("HistoryMessages", s.HistoryMessages, 1, 10_000_000),
		within("HistoryBytes", s.HistoryBytes, 2*MaxReceive, 16<<30),
	)
}
