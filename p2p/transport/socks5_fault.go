package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// What of SOCKS5 tells its answers apart.
const (
	socksVersion     = 5
	socksNoUser      = 0 // methods
	socksUser        = 2
	socksUserVersion = 1 // of the answer to a user name
)

// proxyError is what a proxy did or said.
type proxyError struct {
	proxy string // host and port
	what  string
	are   []error // what it is in the sense of errors.Is
}

// Error names the proxy, without its user and password.
func (e *proxyError) Error() string { return "the proxy " + e.proxy + " " + e.what }

// Unwrap gives what it is.
func (e *proxyError) Unwrap() []error { return e.are }

// by is an error that the proxy is named in.
func (r *route) by(what string, are ...error) error {
	return &proxyError{r.proxy.HostPort(), what, are}
}

// refusal is what an answer to the request says, and what that is as the error of a
// dial. A network that cannot be reached is the proxy's, not ours, and so is not
// ENETUNREACH. Only 7 is a fault of the proxy, which is of no use when it does not
// connect. All others are about this destination: another may do better.
func refusal(code byte) (text string, is error) {
	switch code {
	case 1:
		return "failure", nil
	case 2:
		return "not allowed", nil
	case 3:
		return "network unreachable", syscall.EHOSTUNREACH
	case 4:
		return "host unreachable", syscall.EHOSTUNREACH
	case 5:
		return "connection refused", syscall.ECONNREFUSED
	case 6:
		return "timed out", syscall.ETIMEDOUT
	case 7:
		return "connecting is not supported", ErrProxy
	case 8:
		return "addresses of this kind are not supported", nil
	}
	return fmt.Sprintf("no, for reason %d, which is its own", code), nil
}

// unreachable is the error of a proxy that could not be connected to.
func (r *route) unreachable(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Canceled
	}
	if told := (*Error)(nil); errors.As(err, &told) {
		err = told.Err // the address is ours to tell
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return r.by("cannot be reached: timed out", ErrProxy, context.DeadlineExceeded)
	}
	return r.by("cannot be reached: "+err.Error(), ErrProxy, err)
}

// fault is the error of a dialogue that failed, after what the proxy said in it.
func (r *route) fault(ctx context.Context, said []byte, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Canceled
	}
	if told := (*proxyError)(nil); errors.As(err, &told) {
		return told
	}
	for op := (*net.OpError)(nil); errors.As(err, &op); {
		err = op.Err // without the addresses
	}
	late := ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded)
	switch {
	case late && r.asked(said):
		return r.by("has not connected in time", context.DeadlineExceeded)
	case late:
		return r.by("does not answer", ErrProxy, context.DeadlineExceeded)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return r.by("closed the connection", ErrProxy)
	}
	return r.by("failed: "+err.Error(), ErrProxy, err)
}

// told is what the proxy's answers, as far as they go, say against the connection; nil
// when there is nothing.
func (r *route) told(said []byte) error {
	greeting, login, reply := r.parts(said)
	switch {
	case foreign(greeting, socksVersion) || foreign(login, socksUserVersion) || foreign(reply, socksVersion):
		return r.by("does not speak SOCKS5", ErrProxy)
	case len(greeting) == 2 && !r.offered(greeting[1]) && r.auth == nil:
		return r.by("wants a user name and a password, or another way to log in", ErrProxy)
	case len(greeting) == 2 && !r.offered(greeting[1]):
		return r.by("takes no user name and password", ErrProxy)
	case len(login) == 2 && login[1] != 0:
		return r.by("refuses the user name and password", ErrProxy)
	case len(reply) < 2 || reply[1] == 0:
		return nil
	}
	text, is := refusal(reply[1])
	if is == nil {
		return r.by("says: " + text)
	}
	return r.by("says: "+text, is)
}

// parts takes apart what the proxy said: the answers to the greeting, to the user name
// and to the request, of 2 bytes each at most.
func (r *route) parts(said []byte) (greeting, login, reply []byte) {
	greeting, said = said[:min(2, len(said))], said[min(2, len(said)):]
	if len(greeting) == 2 && greeting[1] == socksUser && r.auth != nil {
		login, said = said[:min(2, len(said))], said[min(2, len(said)):]
	}
	return greeting, login, said[:min(2, len(said))]
}

// offered tells whether we would log in by this method.
func (r *route) offered(method byte) bool {
	return method == socksNoUser || method == socksUser && r.auth != nil
}

// asked tells whether the proxy has been told the destination.
func (r *route) asked(said []byte) bool {
	greeting, login, _ := r.parts(said)
	return len(greeting) == 2 && (greeting[1] == socksNoUser || len(login) == 2)
}

// foreign tells whether an answer begins with something else than its version.
func foreign(answer []byte, version byte) bool { return len(answer) > 0 && answer[0] != version }
