package session

import (
	"context"
	"errors"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/hosts"
	"dchat/p2p/wire"
)

// How long an address is left alone whose node turned out to be of another
// version or name, or of another network: not a peer of ours, but nothing to hold
// against its host.
const (
	mismatchTime = time.Hour
	magicTime    = 10 * time.Minute
	// connectedTime is how long an address is left alone that a connection stands for.
	connectedTime = time.Minute
)

// dialFailed tells the address book what becomes of an address, which was being
// dialled, after a dial or a handshake that came to nothing. When ctx has ended, or
// the fault is ours, it is as good as it was.
func dialFailed(ctx context.Context, book *hosts.Hosts, a addr.Addr, err error) {
	switch d := stranger(err); {
	case ctx.Err() != nil, localFault(err):
		book.Release(a)
	case d > 0:
		book.Avoid(a, d)
	case errors.Is(err, errConnected):
		book.Avoid(a, connectedTime)
	default:
		book.Failed(a)
	}
}

// connectionEnded is dialFailed after a connection that lasted so long.
func connectionEnded(ctx context.Context, book *hosts.Hosts, a addr.Addr, lasted time.Duration, err error) {
	switch d := stranger(err); {
	case ctx.Err() != nil: // we left
		book.Release(a)
	case errors.Is(err, channel.ErrClosed): // nobody here uses it any more, which says nothing against the peer
		book.Disconnected(a, max(lasted, hosts.GoodTime))
	case d > 0:
		book.Avoid(a, d)
	default:
		book.Disconnected(a, lasted)
	}
}

// stranger returns how long to leave alone a node that is none of ours; 0 for
// others.
func stranger(err error) time.Duration {
	offence := (*wire.Error)(nil)
	switch {
	case !errors.As(err, &offence):
		return 0
	case offence.Kind == wire.Mismatch:
		return mismatchTime
	case offence.Kind == wire.BadMagic:
		return magicTime
	}
	return 0
}
