package session

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// ErrNotGlobal says that an address which others told leads into a network that is
// not the internet at large, such as the one around this node.
var ErrNotGlobal = errors.New("it leads into a private network")

// connector dials addresses.
type connector struct{ env *Env }

// errConnected says that a connection to an address would be the second.
var errConnected = errors.New("the peer is connected already")

// check says why an address cannot be dialled by this node at all, or nil.
func (c connector) check(a addr.Addr) error {
	endpoints, _ := c.env.Routes.Of(a)
	if len(endpoints) == 0 {
		return c.env.Routes.fault(a)
	}
	if !slices.ContainsFunc(endpoints, c.served) {
		return fmt.Errorf("no transport %q in this program", endpoints[0].Scheme())
	}
	if c.env.Refused(a) {
		return errors.New("it is blacklisted, banned, or our own")
	}
	return nil
}

// served tells whether there is a transport for an endpoint.
func (c connector) served(endpoint addr.Addr) bool { return c.env.Transports[endpoint.Scheme()] != nil }

// dialled is a connection that we made, and when its handshake must be done.
type dialled struct {
	transport.Conn
	deadline time.Time
	endpoint addr.Addr // that the peer may know was dialled; the zero address for none
}

// dial connects to an address that the operator named, or a user of the node. Where there
// are several routes to it they are tried in turn. The connect timeout of the slowest
// route bounds all of it: the lookup of a name, the connection, what a proxy does, the TLS
// handshake and, as the deadline of what is returned, the handshake of the nodes.
func (c connector) dial(ctx context.Context, a addr.Addr) (dialled, error) {
	return c.dialRoutes(ctx, a, nil)
}

// dialLearnt is dial for an address that others told. Unless the node is on a local
// network it connects to global addresses only, whatever a name stands for, so that
// nobody can make it knock at the doors around it; else the error wraps
// ErrNotGlobal.
func (c connector) dialLearnt(ctx context.Context, a addr.Addr) (dialled, error) {
	if c.env.Localnet {
		return c.dialRoutes(ctx, a, nil)
	}
	return c.dialRoutes(ctx, a, func(ip netip.Addr) error {
		if !addr.IsGlobalIP(ip) {
			return ErrNotGlobal
		}
		return nil
	})
}

func (c connector) dialRoutes(ctx context.Context, a addr.Addr, check func(netip.Addr) error) (dialled, error) {
	if err := c.check(a); err != nil {
		return dialled{}, err
	}
	if c.env.connected(a) != nil {
		return dialled{}, errConnected
	}
	endpoints, mixed := c.env.Routes.Of(a)
	endpoints = slices.DeleteFunc(endpoints, func(e addr.Addr) bool { return !c.served(e) })
	var timeout time.Duration
	for _, e := range endpoints {
		timeout = max(timeout, c.env.Profile(e.Scheme()).ConnectTimeout)
	}
	deadline := time.Now().Add(timeout)
	var failed []error
	for i, e := range endpoints {
		share := time.Until(deadline) / time.Duration(len(endpoints)-i)
		conn, err := c.connect(ctx, e, time.Now().Add(share), check)
		if !mixed {
			c.env.Families.tried(a, err)
		}
		if err == nil {
			d := dialled{Conn: conn, deadline: deadline}
			if !proxied(e, mixed) {
				d.endpoint = e
			}
			return d, nil
		}
		failed = append(failed, err)
	}
	return dialled{}, routesFailed(failed)
}

// connect dials one endpoint.
func (c connector) connect(ctx context.Context, endpoint addr.Addr, deadline time.Time, check func(netip.Addr) error) (transport.Conn, error) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	return c.env.Transports.DialChecked(ctx, endpoint, check)
}

// routesFailed is the error of all routes together. One that says something about the
// address comes first, since what is known of the address depends on it.
func routesFailed(failed []error) error {
	if len(failed) == 1 {
		return failed[0]
	}
	for _, err := range failed {
		if !localFault(err) {
			return &routesError{cause: err, all: failed}
		}
	}
	return &routesError{cause: failed[0], all: failed}
}

// routesError says that every route to an address failed.
type routesError struct {
	cause error
	all   []error
}

func (e *routesError) Error() string {
	texts := make([]string, len(e.all))
	for i, err := range e.all {
		texts[i] = err.Error()
	}
	return "every route failed: " + strings.Join(texts, "; ")
}

// Unwrap gives the error that says most.
func (e *routesError) Unwrap() error { return e.cause }

// Profile holds the time limits of one scheme.
type Profile struct {
	// ConnectTimeout bounds a dial from name lookup to the end of the nodes' own
	// handshake, and the wait for the answer to a ping.
	ConnectTimeout time.Duration
	// HandshakeTimeout bounds the exchange of version and verack.
	HandshakeTimeout time.Duration
	// HeartbeatInterval is the time from one answered ping to the next.
	HeartbeatInterval time.Duration
}

// DefaultProfile returns the limits of the fast networks: 15 s, 10 s and 30 s.
func DefaultProfile() Profile {
	return Profile{ConnectTimeout: 15 * time.Second, HandshakeTimeout: 10 * time.Second, HeartbeatInterval: 30 * time.Second}
}
