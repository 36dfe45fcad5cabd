package portmap

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// Protocol is what a mapped port is for.
type Protocol string

// The protocols that routers map ports of.
const (
	TCP Protocol = "tcp"
	UDP Protocol = "udp"
)

// Port is a port of this machine.
type Port struct {
	Protocol Protocol
	Number   uint16 // not 0
}

// Mapping is a port of this machine that a gateway passes connections on to.
type Mapping struct {
	Port
	External uint16        // the port outside, not 0
	Lease    time.Duration // how long it lasts unless it is renewed; 0: until it is removed
}

// Gateway is a router that maps ports. Its methods heed ctx within half a second. It
// is used by one goroutine at a time.
type Gateway interface {
	// String names the gateway in the log: its protocol and address.
	String() string
	// Local is the address of this machine that the gateway passes connections on to.
	Local() netip.Addr
	// Map maps a port, or renews its mapping. The external port is a wish: the
	// mapping tells which one it is. A gateway that keeps mappings only for ever
	// may do that instead of what the lease says.
	Map(ctx context.Context, port Port, external uint16, lease time.Duration) (Mapping, error)
	// Unmap removes a mapping. That there is none is no error.
	Unmap(ctx context.Context, m Mapping) error
	// Look returns the address that the gateway has outside, zero when it does not
	// tell. The error wraps ErrForgotten when one of the mappings is no longer there;
	// any other says that the gateway is not.
	Look(ctx context.Context, held []Mapping) (netip.Addr, error)
}

// Search looks for the gateways of this machine, best first, for as long as ctx
// allows. When there is none the error says why.
type Search func(ctx context.Context) ([]Gateway, error)

var (
	// ErrNoGateway says that no router was found that maps ports.
	ErrNoGateway = errors.New("no router that maps ports answers")
	// ErrNoNAT says that this machine has a public address itself, so that nothing is
	// to be mapped.
	ErrNoNAT = errors.New("this machine has a public address itself")
	// ErrForgotten says that a gateway has lost a mapping, as one that was restarted
	// does.
	ErrForgotten = errors.New("the router has forgotten a mapping")
)
