package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

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
		return errors.New("it is on the blacklist")
	}
	return nil
}

// Dial connects to an address. The connect timeout of its scheme bounds all of
// it: the lookup of a name, the connection and the TLS handshake.
func (c Connector) Dial(ctx context.Context, a addr.Addr) (transport.Conn, error) {
	if err := c.Check(a); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.env.Profile(a.Scheme()).ConnectTimeout)
	defer cancel()
	return c.env.Transports.Dial(ctx, a)
}
