// Package app composes the modules into the dchatd daemon. It and the packages
// below it are the only ones that know signals and exit codes.
package app
