package transport

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/quic-go/quic-go"
)

// The codes with which we end a connection: when all is said, and in the middle of a
// stream.
const (
	quicDone quic.ApplicationErrorCode = 0
	quicCut  quic.ApplicationErrorCode = 1
)

// quicError says in quic-go's words what is wrong, and is what that amounts to for
// everybody else. quic-go's own errors all are net.ErrClosed, also where the peer is at
// fault.
type quicError struct {
	told error
	is   error
}

func (e *quicError) Error() string { return e.told.Error() }

func (e *quicError) Unwrap() error { return e.is }

// quicCause is an error of quic-go's as others are to see it: io.EOF for the end that
// the peer has put in an orderly way, os.ErrDeadlineExceeded for a deadline,
// ErrCertificate, and else a system's error.
func quicCause(err error) error {
	var (
		transport   *quic.TransportError
		application *quic.ApplicationError
		idle        *quic.IdleTimeoutError
		handshake   *quic.HandshakeTimeoutError
		socket      *net.OpError
	)
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case errors.As(err, &application) && application.Remote && application.ErrorCode == quicDone:
		return io.EOF
	case errors.As(err, &idle), errors.As(err, &handshake):
		return &quicError{err, syscall.ETIMEDOUT}
	case errors.Is(err, quic.ErrStreamClosed):
		return &quicError{err, syscall.EPIPE}
	case errors.As(err, &transport):
		return transportCause(transport)
	case errors.As(err, &socket):
		return socket
	}
	return &quicError{err, syscall.ECONNRESET}
}

func transportCause(err *quic.TransportError) error {
	switch {
	case err.Remote && err.ErrorCode == quic.NoError:
		return io.EOF
	case err.Remote && err.ErrorCode == quic.ConnectionRefused:
		return &quicError{err, syscall.ECONNREFUSED}
	}
	for _, cause := range err.Unwrap() {
		if errors.Is(cause, ErrCertificate) {
			return cause
		}
	}
	return &quicError{err, syscall.ECONNRESET}
}
