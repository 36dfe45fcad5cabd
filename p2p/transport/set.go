package transport

import (
	"context"
	"maps"
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
	t, err := s.transport(opDial, a)
	if err != nil {
		return nil, err
	}
	return t.Dial(ctx, a)
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
