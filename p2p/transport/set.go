package transport

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"dchat/p2p/addr"
)

// Set says which transport serves which scheme. It may be used concurrently as
// long as nobody changes it.
type Set map[string]Transport

// Named is a transport and the scheme of the addresses that it serves.
type Named struct {
	Scheme    string // such as "tcp"; in lower case, as addresses have it
	Transport Transport
}

// Options say how the transports of this package are set up.
type Options struct {
	// Tor and I2P are the SOCKS5 proxies behind which these networks lie, each
	// socks5://[user:password@]host:port. The zero address is the port on this machine
	// where the network's daemon listens if nobody has told it otherwise:
	// socks5://127.0.0.1:9050/ and socks5://127.0.0.1:4447/.
	Tor, I2P addr.Addr

	// ResetKey is that of QUIC, which see; nil is a random one.
	ResetKey func() (key [32]byte, err error)
}

// Default returns what this package offers over real sockets, with the proxies where
// they usually are; see DefaultVia.
func Default() Set { return DefaultVia(Options{}) }

// DefaultVia returns what this package offers over real sockets: tcp, quic, unix,
// socks5, and through a proxy each tor and i2p; all but quic and unix also with +tls.
// Destinations are isolated at both proxies, at Tor's also where socks5 leads to it.
func DefaultVia(o Options) Set {
	tcp := &TCP{}
	tor := cmp.Or(o.Tor, addr.MustParse("socks5://127.0.0.1:9050/"))
	i2p := cmp.Or(o.I2P, addr.MustParse("socks5://127.0.0.1:4447/"))
	s := Set{
		addr.TCP:    tcp,
		addr.QUIC:   &QUIC{ResetKey: o.ResetKey},
		addr.Unix:   Unix{},
		addr.Socks5: &Socks5{Over: tcp, Isolate: tor},
		addr.Tor:    &Socks5{Over: tcp, Proxy: tor, Isolate: tor},
		addr.I2P:    &Socks5{Over: tcp, Proxy: i2p, Isolate: i2p},
	}
	for _, scheme := range []string{addr.TCP, addr.Socks5, addr.Tor, addr.I2P} {
		s[scheme+"+tls"] = &TLS{Over: s[scheme]}
	}
	return s
}

// With returns the set with more transports, which take the place of those that
// serve the same scheme.
func (s Set) With(more ...Named) Set {
	all := maps.Clone(s)
	for _, n := range more {
		all[n.Scheme] = n.Transport
	}
	return all
}

// Schemes returns the schemes that are served, sorted.
func (s Set) Schemes() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s)), func(scheme string) bool { return s[scheme] == nil })
}

// Listening returns the schemes that can be listened on, sorted.
func (s Set) Listening() []string {
	return slices.DeleteFunc(s.Schemes(), func(scheme string) bool { return !CanListen(s[scheme]) })
}

// Settle has every Settler among the transports settle.
func (s Set) Settle(ctx context.Context) {
	var all sync.WaitGroup
	for _, t := range s {
		if settler, ok := t.(Settler); ok {
			all.Go(func() { settler.Settle(ctx) })
		}
	}
	all.Wait()
}

// Dial dials with the transport of the address's scheme. Without one the error
// wraps an *UnsupportedError.
func (s Set) Dial(ctx context.Context, a addr.Addr) (Conn, error) {
	return s.DialChecked(ctx, a, nil)
}

// DialChecked is Dial that asks check about each IP address before it is connected
// to, as a Checker does. Of a transport that is none only an address with an IP can
// be asked about.
func (s Set) DialChecked(ctx context.Context, a addr.Addr, check func(netip.Addr) error) (Conn, error) {
	t, err := s.transport(opDial, a)
	if err != nil {
		return nil, err
	}
	return dialChecked(ctx, t, a, check)
}

// Listen listens with the transport of the address's scheme. Without one the
// error wraps an *UnsupportedError.
func (s Set) Listen(ctx context.Context, a addr.Addr) (Listener, error) {
	t, err := s.transport(opListen, a)
	if err != nil {
		return nil, err
	}
	return t.Listen(ctx, a)
}

func (s Set) transport(op string, a addr.Addr) (Transport, error) {
	if t := s[a.Scheme()]; t != nil {
		return t, nil
	}
	return nil, &Error{op, a, &UnsupportedError{Scheme: a.Scheme(), Available: s.Schemes()}}
}
