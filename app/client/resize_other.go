//go:build !unix

package client

// watchSize does nothing here: no signal tells of a new size.
func watchSize(func()) (ignore func()) { return func() {} }
