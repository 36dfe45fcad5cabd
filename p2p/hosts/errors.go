package hosts

import (
	"errors"
	"fmt"

	"dchat/p2p/addr"
)

// StateError says that an address is in use in a way that rules out another one.
type StateError struct {
	Addr   addr.Addr
	State  State  // what it is
	Wanted string // what was to be done with it
}

// Error names the address, fit for a log, its state and what was wanted.
func (e *StateError) Error() string {
	return fmt.Sprintf("address %s is %v: cannot %s", e.Addr.Redacted(), e.State, e.Wanted)
}

// LockedError says that another process uses the host list file.
type LockedError struct {
	File    string
	Process int // its id, 0 when it is not known
}

// Error names the file, the process and the remedy.
func (e *LockedError) Error() string {
	who := "another running node"
	if e.Process != 0 {
		who = fmt.Sprintf("another running node (process %d)", e.Process)
	}
	return fmt.Sprintf("host list %s is in use by %s: stop it, or give this node a list of its own", e.File, who)
}

// BlacklistError says what is wrong with one entry of a blacklist.
type BlacklistError struct {
	Index  int // of the entry, from 0
	Entry  BlacklistEntry
	Reason string // a short phrase for people
}

// Error names the entry and the reason in one line of printable text.
func (e *BlacklistError) Error() string {
	return fmt.Sprintf("blacklist entry %d, host %.80q: %s", e.Index+1, e.Entry.Host, e.Reason)
}

// ErrTooMany says that 20,000 addresses are in use.
var ErrTooMany = errors.New("too many addresses are in use")
