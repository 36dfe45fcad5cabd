package daemon

import (
	"errors"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"go.uber.org/dig"

	"dchat/modules/rpcfx"
	"dchat/modules/settingsfx"
	"dchat/p2p/addr"
	"dchat/p2p/hosts"
	"dchat/p2p/transport"
)

// Explainer puts into one line why a program could not start, and what to do.
type Explainer struct {
	Program string
	Config  *settingsfx.Report
	LogFile string                        // the file that is logged to, if any
	Inbound func(listen addr.Addr) string // the key that this address to listen on comes from
	Hosts   func(file string) string      // the key of this host list
}

// Explain is the line.
func (e Explainer) Explain(err error) string {
	err = dig.RootCause(err)
	var locked *hosts.LockedError
	var inbound *transport.Error
	var rpc *rpcfx.ListenError // it says itself what to do
	var file *fs.PathError
	advice := ""
	switch {
	case errors.As(err, &locked):
		err = locked
		advice = ": change " + e.Config.Where(e.Hosts(locked.File))
	case errors.As(err, &inbound):
		err = inbound
		if inbound.Addr.Scheme() != addr.Unix || errors.Is(err, fs.ErrPermission) { // else it says itself what to do
			advice = e.remedy(err)
		}
		advice += ": change " + e.Config.Where(e.Inbound(inbound.Addr))
	case errors.As(err, &rpc):
		advice = ": change " + e.Config.Where("rpc.rpc_listen")
	case errors.As(err, &file) && file.Path == e.LogFile:
		advice = e.remedy(err) + ": change " + e.Config.Where("log.file")
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ") + advice
}

// remedy is what to do about an address or a file that cannot be used, behind a colon.
func (e Explainer) remedy(err error) string {
	var lookup *net.DNSError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return ": stop the program that uses it (another " + e.Program + "?), or take another port"
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
