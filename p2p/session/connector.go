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

// Connector dials addresses.
type Connector struct{ env *Env }

// Check says why an address cannot be dialled by this node at all, or nil.
func (c Connector) Check(a addr.Addr) error {
	if c.env.Transports[a.Scheme()] == nil {
		return fmt.Errorf("no transport %q in this program", a.Scheme())
	}
	if !slices.Contains(c.env.Active, a.Scheme()) {
		return fmt.Errorf("%q is not among the active profiles (%s)", a.Scheme(), strings.Join(c.env.Active, ", "))
	}
	if c.env.Refused(a) {
		return errors.New("it is blacklisted, banned, or our own")
	}
	return nil
}

// Dialled is a connection that we made, and when its handshake must be done.
type Dialled struct {
	transport.Conn
	deadline time.Time
}

// Dial connects to an address that the operator named, or a user of the node. The
// connect timeout of its scheme bounds all of it: the lookup of a name, the
// connection, the TLS handshake and, as the deadline of what is returned, the
// handshake of the nodes.
func (c Connector) Dial(ctx context.Context, a addr.Addr) (Dialled, error) {
	return c.dial(ctx, a, nil)
}

// DialLearnt is Dial for an address that others told. Unless the node is on a local
// network it connects to global addresses only, whatever a name stands for, so that
// nobody can make it knock at the doors around it; else the error wraps
// ErrNotGlobal.
func (c Connector) DialLearnt(ctx context.Context, a addr.Addr) (Dialled, error) {
	if c.env.Localnet {
		return c.dial(ctx, a, nil)
	}
	return c.dial(ctx, a, func(ip netip.Addr) error {
		if !addr.IsGlobalIP(ip) {
			return ErrNotGlobal
		}
		return nil
	})
}

func (c Connector) dial(ctx context.Context, a addr.Addr, check func(netip.Addr) error) (Dialled, error) {
	if err := c.Check(a); err != nil {
		return Dialled{}, err
	}
	deadline := time.Now().Add(c.env.Profile(a.Scheme()).ConnectTimeout)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	conn, err := c.env.Transports.DialChecked(ctx, a, check)
	if err != nil {
		c.env.Families.Failed(a, err)
		return Dialled{}, err
	}
	c.env.Families.Worked(a)
	return Dialled{conn, deadline}, nil
}
