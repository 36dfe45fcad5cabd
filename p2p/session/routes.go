package session

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"dchat/p2p/addr"
)

// Routes says how addresses are dialled: as they are, or through another network. It
// looks at nothing but addresses, and above all never at what a name stands for.
type Routes struct {
	// Active are the schemes that are dialled as they are.
	Active []string
	// Mixed are the schemes that are dialled through an active one where that can
	// carry them: tcp through tor, nym or socks5, tor through socks5, and likewise
	// with +tls.
	Mixed []string
	// TorProxy and NymProxy are the proxies through which socks5 carries others;
	// the zero address is none.
	TorProxy, NymProxy addr.Addr
}

// Of returns the endpoints at which an address is dialled, in the order in which they are
// tried, and whether they are other ones than the address itself: as soon as
// one scheme can carry the address it is never dialled directly, so that a node which
// hides does not show itself when all else fails. Without an endpoint the address
// cannot be dialled.
func (r *Routes) Of(a addr.Addr) (endpoints []addr.Addr, mixed bool) {
	carriers := r.carriers(a.Scheme())
	for _, c := range carriers {
		if e, ok := c.endpoint(a); ok {
			endpoints = append(endpoints, e)
		}
	}
	if len(carriers) == 0 && slices.Contains(r.Active, a.Scheme()) {
		endpoints = append(endpoints, a)
	}
	return endpoints, len(carriers) > 0
}

// Schemes returns the schemes of the addresses that can be dialled, each once: the active
// ones, then those of the mixed ones that an active one carries. Has tells which
// schemes there is a transport for.
func (r *Routes) Schemes(has func(scheme string) bool) []string {
	var schemes []string
	for _, s := range slices.Concat(r.Active, r.Mixed) {
		if !slices.Contains(schemes, s) && slices.ContainsFunc(r.over(s), has) {
			schemes = append(schemes, s)
		}
	}
	return schemes
}

// over returns the schemes of the endpoints that addresses of a scheme are dialled at.
func (r *Routes) over(scheme string) []string {
	var over []string
	for _, c := range r.carriers(scheme) {
		over = append(over, c.scheme)
	}
	if len(over) == 0 && slices.Contains(r.Active, scheme) {
		over = append(over, scheme)
	}
	return over
}

// carrier is a scheme that carries another, at a proxy or on its own.
type carrier struct {
	scheme string
	proxy  addr.Addr
}

// carriers returns what carries a scheme, in the order in which it is tried: nothing
// unless the scheme is a mixed one.
func (r *Routes) carriers(scheme string) []carrier {
	if !slices.Contains(r.Mixed, scheme) {
		return nil
	}
	none := addr.Addr{}
	base, tls := strings.CutSuffix(scheme, "+tls")
	var all []carrier
	switch base {
	case addr.TCP:
		all = []carrier{{addr.Tor, none}, {addr.Nym, none}, {addr.Socks5, r.TorProxy}, {addr.Socks5, r.NymProxy}}
	case addr.Tor:
		all = []carrier{{addr.Socks5, r.TorProxy}}
	}
	var usable []carrier
	for _, c := range all {
		if c.scheme == addr.Socks5 && c.proxy.IsZero() {
			continue
		}
		if tls {
			c.scheme += "+tls"
		}
		if slices.Contains(r.Active, c.scheme) {
			usable = append(usable, c)
		}
	}
	return usable
}

// endpoint is the address as it is dialled over the carrier.
func (c carrier) endpoint(a addr.Addr) (addr.Addr, bool) {
	if c.proxy.IsZero() {
		return a.WithScheme(c.scheme)
	}
	port, ok := a.Port()
	if !ok {
		return addr.Addr{}, false
	}
	e, ok := c.proxy.WithPath(fmt.Sprintf("/%s:%d", a.Host(), port))
	if !ok {
		return addr.Addr{}, false
	}
	return e.WithScheme(c.scheme)
}

// fault says why there is no endpoint for an address.
func (r *Routes) fault(a addr.Addr) error {
	switch {
	case a.Scheme() == addr.Nym || a.Scheme() == addr.NymTLS:
		return errors.New("nym addresses cannot be dialled: nym_socks5_proxy carries tcp and tcp+tls as mixed profiles")
	case len(r.carriers(a.Scheme())) > 0:
		return errors.New("it has no port, or is too long for what carries it")
	case slices.Contains(r.Mixed, a.Scheme()):
		return fmt.Errorf("%q is a mixed profile, and no active one (%s) carries it", a.Scheme(), strings.Join(r.Active, ", "))
	}
	return fmt.Errorf("%q is not among the active profiles (%s)", a.Scheme(), strings.Join(r.Active, ", "))
}

// proxied tells whether an endpoint says more than the peer is to know, such as where
// our proxy is.
func proxied(endpoint addr.Addr, mixed bool) bool {
	return mixed || endpoint.Scheme() == addr.Socks5 || endpoint.Scheme() == addr.Socks5TLS
}
