//go:build !unix

package jsonrpc

import "syscall"

func makePrivate(_, _ string, _ syscall.RawConn) error { return nil }
