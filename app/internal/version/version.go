// Package version says which build of the programs this is.
package version

import (
	"cmp"
	"runtime"
	"runtime/debug"
)

// String returns the version of the module, as Go stamps it into what it builds from a
// repository, and that of Go: "v1.2.3 (go1.26.0)". A build without a stamp is "(devel)".
func String() string {
	stamp := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		stamp = info.Main.Version
	}
	return cmp.Or(stamp, "(devel)") + " (" + runtime.Version() + ")"
}
