package app

import (
	"strings"

	"dchat/app/internal/daemon"
	"dchat/modules/settingsfx"
	"dchat/p2p/addr"
)

// explain puts into one line why the daemon could not start, and what to do.
func explain(err error, loaded *settingsfx.Loaded) string {
	return daemon.Explainer{
		Program: "dchatd",
		Config:  &loaded.Report,
		LogFile: loaded.Log.File,
		Inbound: func(addr.Addr) string { return inboundKey(loaded) },
		Hosts:   func(string) string { return "net.hostlist" },
	}.Explain(err)
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
