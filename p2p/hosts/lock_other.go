//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package hosts

import "os"

// lockFile does nothing: on this system two nodes are not kept from using one
// directory.
func lockFile(*os.File) (taken bool, err error) { return false, nil }

// syncDir does nothing: directories cannot be synced on this system.
func (*store) syncDir() error { return nil }
