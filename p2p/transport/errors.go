package transport

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"dchat/p2p/addr"
)

var (
	// ErrNoPort is the fault of an address that names no port.
	ErrNoPort = errors.New("the address has no port")

	// ErrIPv4Mapped is the fault of an address such as [::ffff:1.2.3.4], which
	// TCP takes in its IPv4 form only: as it stands it would be one more name of
	// the same endpoint.
	ErrIPv4Mapped = errors.New("the IPv4 address is written as IPv6: write it as IPv4")

	// ErrDialOnly says that a transport makes connections but takes none.
	ErrDialOnly = errors.New("this transport only dials: nothing can be listened on")

	// ErrProxy is the fault of a proxy that a connection was to be made through: it
	// cannot be reached, or does not do its part. It says nothing about the address
	// that was dialled.
	ErrProxy = errors.New("the proxy is at fault")

	// ErrCertificate is the fault of a peer whose TLS certificate is not of the
	// kind that this network uses.
	ErrCertificate = errors.New("the certificate of the peer is not acceptable")
)

// Error says what failed at which address.
type Error struct {
	Op   string    // dial, listen on or shake hands with
	Addr addr.Addr // as it was asked for, or the peer
	Err  error
}

// Error names the address without what is secret in it.
func (e *Error) Error() string {
	cause := e.Err.Error()
	late := (*proxyError)(nil) // says who
	if errors.Is(e.Err, context.DeadlineExceeded) && !errors.As(e.Err, &late) {
		cause = "timed out"
	}
	return "cannot " + e.Op + " " + e.Addr.Redacted() + ": " + cause
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

const (
	opDial      = "dial"
	opListen    = "listen on"
	opHandshake = "shake hands with"
)

// UnsupportedError says that no transport of a Set serves a scheme.
type UnsupportedError struct {
	Scheme    string
	Available []string // the schemes that are served, sorted
}

func (e *UnsupportedError) Error() string {
	if len(e.Available) == 0 {
		return fmt.Sprintf("no transport for scheme %q: there is none at all", e.Scheme)
	}
	return fmt.Sprintf("no transport for scheme %q: there is %s", e.Scheme, strings.Join(e.Available, ", "))
}
