package transport

import (
	"context"
	"maps"
	"net/netip"
	"slices"

	"dchat/p2p/addr"
)

// Set says which transport serves which scheme. It may be used concurrently as
// long as nobody changes it.
type Set map[string]Transport

// Default returns what this package offers over real sockets: tcp and tcp+tls.
func Default() Set {
	tcp := &TCP{}
	return Set{addr.TCP: tcp, addr.TCPTLS: &TLS{Over: tcp}}
}

// Schemes returns the schemes that are served, sorted.
func (s Set) Schemes() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s)), func(scheme string) bool { return s[scheme] == nil })
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
