// Package app composes the modules into the dchatd daemon. It is the only place
// that knows all of them, and the only one that knows signals and exit codes.
package app
