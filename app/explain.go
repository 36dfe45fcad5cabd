package app

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"go.uber.org/dig"

	"dchat/p2p/transport"
)

// explain puts into one line why the daemon could not start, and what to do.
func explain(err error, file string) string {
	err = dig.RootCause(err)
	key := "rpc.rpc_listen"
	if listen := (*transport.Error)(nil); errors.As(err, &listen) {
		err, key = listen, "net.inbound"
	}
	line := strings.ReplaceAll(err.Error(), "\n", "; ")
	if remedy := remedy(err, key, file); remedy != "" {
		line += ": " + remedy
	}
	return line
}

func remedy(err error, key, file string) string {
	change := fmt.Sprintf("change %s in %s", key, file)
	var lookup *net.DNSError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "stop the program that uses it (another dchatd?), or " + change
	case errors.Is(err, syscall.EACCES):
		return "choose a port from 1024 on or a directory you may write to: " + change
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "this machine has no such address: " + change
	case errors.As(err, &lookup):
		return "the name cannot be looked up: " + change
	}
	return ""
}
