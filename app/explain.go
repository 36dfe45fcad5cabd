package app

import (
	"errors"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"go.uber.org/dig"

	"dchat/modules/rpcfx"
	"dchat/modules/settingsfx"
	"dchat/p2p/hosts"
	"dchat/p2p/transport"
)

// explain puts into one line why the daemon could not start, and what to do.
func explain(err error, loaded *settingsfx.Loaded) string {
	err = dig.RootCause(err)
	var inbound *transport.Error
	var rpc *rpcfx.ListenError // it says itself what to do
	var file *fs.PathError
	advice := ""
	var locked *hosts.LockedError
	switch {
	case errors.As(err, &locked):
		err = locked
		advice = ": change " + where(loaded, "net.hostlist")
	case errors.As(err, &inbound):
		err = inbound
		advice = remedy(err) + ": change " + where(loaded, inboundKey(loaded))
	case errors.As(err, &rpc):
		advice = ": change " + where(loaded, "rpc.rpc_listen")
	case errors.As(err, &file) && file.Path == loaded.Log.File:
		advice = remedy(err) + ": change " + where(loaded, "log.file")
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ") + advice
}

// remedy is what to do about an address or a file that cannot be used, behind a colon.
func remedy(err error) string {
	var lookup *net.DNSError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return ": stop the program that uses it (another dchatd?), or take another port"
	case errors.Is(err, syscall.EACCES):
		return ": take a port from 1024 on, or a directory you may write to"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return ": take an address of this machine"
	case errors.Is(err, fs.ErrNotExist):
		return ": create the directory, or take another"
	case errors.As(err, &lookup):
		return ": take a name that can be looked up, or an IP address"
	}
	return ""
}

// inboundKey is the key that the addresses to listen on come from, if that is one.
func inboundKey(loaded *settingsfx.Loaded) string {
	found := "inbound"
	for key := range loaded.Origins {
		switch {
		case !strings.HasPrefix(key, "net.") || !strings.HasSuffix(key, ".inbound"):
		case found != "inbound":
			return "inbound"
		default:
			found = key
		}
	}
	return found
}

// where says where to change a setting: the flag or variable that it comes from, or the file.
func where(loaded *settingsfx.Loaded, key string) string {
	if origin := loaded.Origins[key]; origin.Kind == settingsfx.FromFlag || origin.Kind == settingsfx.FromEnv {
		return origin.Name
	}
	if loaded.File == "" { // there is none, and none could be written
		return key
	}
	return key + " in " + loaded.File
}
