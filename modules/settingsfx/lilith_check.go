package settingsfx

import (
	"fmt"
	"net"
	"slices"

	"dchat/p2p/addr"
)

// validateNetworks notes what is wrong with networks beside one another, and with networks that nobody
// could use.
func (l *loader) validateNetworks(networks []Network) {
	if len(networks) == 0 && len(l.faults) == 0 {
		l.addFileFault(Fault{Problem: `there is no network: add [network."NAME"] with accept_addrs = ["tcp://0.0.0.0:50515"]`})
	}
	listens, lists := make(map[string]string), make(map[string]string) // the keys they stand at
	listens[endpoint(l.RPC.Listen)] = "rpc.rpc_listen"
	for _, n := range networks {
		key := networksKey + "." + n.Name
		l.listensSomewhere(key, n)
		for _, a := range n.P2P.Inbound {
			l.once(listens, key+".accept_addrs", a.Redacted(), endpoint(a), "give each address to listen on once")
		}
		l.once(lists, key+".hostlist", n.P2P.Hostlist, n.P2P.Hostlist, "give each network a host list of its own")
		l.warnOfNetwork(key, n)
	}
}

// listensSomewhere wants an address to listen on, unless it is wrong already.
func (l *loader) listensSomewhere(key string, n Network) {
	const remedy = `nobody can reach this seed: give addresses to listen on, such as ["tcp://0.0.0.0:50515"]`
	listen := key + ".accept_addrs"
	_, set := l.Origins[listen]
	switch {
	case len(n.P2P.Inbound) > 0 || slices.ContainsFunc(l.faults, func(f Fault) bool { return f.Key == listen }):
	case set:
		l.addFault(listen, "[]", remedy)
	default:
		l.addFault(key, "", "accept_addrs is missing: "+remedy)
	}
}

// once notes a value that stands at another key already. What is empty may stand anywhere.
func (l *loader) once(seen map[string]string, key, shown, value, remedy string) {
	switch first, again := seen[value]; {
	case value == "":
	case again:
		l.check(key, quote(shown), fmt.Sprintf("it is in %s already: %s", first, remedy))
	default:
		seen[value] = key
	}
}

// endpoint is the host and port of an address to listen on, which two schemes share unless one is
// quic; nothing where any free port is taken.
func endpoint(a addr.Addr) string {
	port, ok := a.Port()
	if !ok || port == 0 {
		return ""
	}
	network := "tcp"
	if a.Scheme() == addr.QUIC {
		network = "udp"
	}
	return network + " " + net.JoinHostPort(a.Hostname(), fmt.Sprint(port))
}

// warnOfNetwork speaks of a network that is valid and seldom meant so.
func (l *loader) warnOfNetwork(key string, n Network) {
	local := 0
	for _, a := range n.P2P.Inbound {
		if ip, isIP := a.IP(); a.Hostname() == "localhost" || isIP && ip.IsLoopback() {
			local++
		}
	}
	switch {
	case len(n.P2P.Inbound) == 0:
	case local == len(n.P2P.Inbound) && !n.P2P.Localnet:
		l.warn(l.origin(key+".accept_addrs"), key+" is reached from this machine only, whose addresses it does not take: set localnet = true, or listen on 0.0.0.0")
	case local == 0 && n.P2P.Localnet:
		l.warn(l.origin(key+".localnet"), key+".localnet makes this seed connect to whatever private address it is told: right for a house, wrong for the internet")
	}
}
