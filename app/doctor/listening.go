package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/channel"
)

// listen looks whether an inbound address is listened on, or could be.
func (e *examination) listen(ctx context.Context, a addr.Addr) *finding {
	f := newFinding(StageListening, a)
	f.endpoint = a
	if e.Node != nil {
		if e.Node.State() != p2p.Running {
			return f.fail("", fault{"the node is " + e.Node.State().String(), tryAgain}, 0)
		}
		f.ok("", "it listens", 0)
		return f
	}
	l, err := e.Transports.Listen(ctx, a)
	switch {
	case err == nil:
		f.ok("", "free for the daemon", 0)
		_ = l.Close() // nothing of it is needed
	case a.Scheme() == addr.Unix && errors.Is(err, syscall.EADDRINUSE):
		f.fail("", fault{withoutAddr(err).Error(), "Otherwise change inbound in the configuration."}, 0)
	case a.Scheme() == addr.Unix && errors.Is(err, os.ErrNotExist):
		f.fail("", fault{"its directory does not exist", "Create it, or change inbound in the configuration."}, 0)
	case errors.Is(err, syscall.EADDRINUSE):
		f.fail("", fault{"another program listens there" + e.occupant(ctx, a), "Stop it, or change inbound in the configuration."}, 0)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		f.fail("", fault{"this machine does not have the address", "Set inbound to one that it has, or to 0.0.0.0 for all."}, 0)
	case errors.Is(err, syscall.EACCES):
		f.fail("", fault{"not allowed", "Set inbound to a port from 1024 on, or to a directory you may write to."}, 0)
	default:
		f.fail("", e.words(f, err, 0), 0)
	}
	return f
}

// occupant tells what listens at an address of this machine, if it is a node, and if this one dials
// such addresses.
func (e *examination) occupant(ctx context.Context, a addr.Addr) string {
	if ip, ok := a.IP(); ok && ip.IsUnspecified() {
		port, _ := a.Port()
		loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
		if ip.Is6() {
			loopback = netip.IPv6Loopback()
		}
		a = addr.FromIP(a.Scheme(), netip.AddrPortFrom(loopback, port))
	}
	f := newFinding(StageListening, a)
	endpoints, mixed := e.waysTo(f, a)
	if mixed || len(endpoints) == 0 {
		return ""
	}
	f.endpoint = a
	limit, cancel := context.WithTimeout(ctx, e.Settings.Profile(a.Scheme()).ConnectTimeout)
	defer cancel()
	if conn, ok := e.connect(limit, f); ok {
		e.talk(ctx, limit, f, conn, a, channel.Refine)
	}
	if f.version == nil {
		return ""
	}
	return fmt.Sprintf(", a node that runs %s", application(f.version.AppName, f.version.AppVersion))
}
