package hosts

import (
	"hash/fnv"
	"net/netip"
	"strconv"
	"strings"

	"dchat/p2p/addr"
)

// endpoint is what makes two addresses one and the same to the lists: spellings,
// paths and whatever else leads to the same place do not count.
type endpoint struct {
	scheme string
	ip     netip.Addr // not valid for a name
	name   string     // empty for an IP
	port   uint16
}

func endpointOf(a addr.Addr) endpoint {
	scheme := a.Scheme()
	a = destination(a)
	port, _ := a.Port()
	e := endpoint{scheme: scheme, port: port}
	if ip, ok := a.IP(); ok {
		e.ip = ip.Unmap()
	} else if host := a.Host(); host != "" {
		e.name = strings.TrimRight(strings.ToLower(host), ".")
	} else {
		e.name = a.String()
	}
	return e
}

// destination is where an address leads: what is at a proxy is not the proxy.
func destination(a addr.Addr) addr.Addr {
	if scheme := a.Scheme(); scheme == addr.Socks5 || scheme == addr.Socks5TLS {
		a, _ = a.Destination()
	}
	return a
}

// socket is the endpoint whatever is spoken there.
func (e endpoint) socket() endpoint {
	e.scheme = ""
	return e
}

// everyPort is the host of the endpoint as bans see it: all ports and schemes, and
// all of an IPv6 /64, since whoever has one address of it has all.
func (e endpoint) everyPort() endpoint {
	e.scheme, e.port = "", 0
	e.ip = addr.HostNetwork(e.ip).Addr()
	return e
}

// needsLookup tells whether a resolver decides where a connection goes.
func (e endpoint) needsLookup() bool {
	switch e.scheme {
	case addr.TCP, addr.TCPTLS, addr.QUIC:
		return !e.ip.IsValid()
	}
	return false
}

// place is a part of the network that is counted as one; the zero place is this node.
type place struct {
	net  netip.Prefix
	name string
}

// within is the network around an IP, of as many bits as its family says, or
// the name.
func (e endpoint) within(bits4, bits6 int) place {
	if !e.ip.IsValid() {
		return place{name: e.name}
	}
	bits := bits4
	if e.ip.Is6() {
		bits = bits6
	}
	return place{net: netip.PrefixFrom(e.ip, bits).Masked()}
}

// host is where all ports of one machine are.
func (e endpoint) host() place { return e.within(32, 128) }

// subnet is what one customer usually has; none for a name.
func (e endpoint) subnet() place {
	if !e.ip.IsValid() {
		return place{}
	}
	return e.within(24, 48)
}

// alone is the one endpoint as a place.
func (e endpoint) alone() place {
	p := e.host()
	p.name += ":" + strconv.Itoa(int(e.port))
	return p
}

// group is what one operator may well have all of: a network of 16 bits (IPv6:
// 32). Names cost nothing, so all of them together are 16 groups.
func (e endpoint) group() place {
	if e.ip.IsValid() {
		return e.within(16, 32)
	}
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(e.name)) // never fails
	return place{name: strconv.Itoa(int(sum.Sum32() % 16))}
}
