package transport

import (
	"context"
	"crypto/tls"
	"net/netip"
	"time"

	"dchat/p2p/addr"
)

// tlsCloseTimeout bounds how long it may take to tell the peer that the stream
// ends, which would block when the peer does not read.
const tlsCloseTimeout = 500 * time.Millisecond

// TLS puts TLS over the connections of another transport. It keeps others from
// reading along; who the peer is it does not say.
//
// It is TLS 1.3 alone, and both sides show a certificate: self-signed, Ed25519, for
// the one DNS name dark.fi, whoever they are. A listener makes itself one when it
// begins to listen, each dial makes a fresh one, and neither is ever written down.
// Of the peer's, only that it is of this kind is checked, and that the peer has
// its key: not its dates, nor who signed it.
//
// That a listener did not accept our certificate shows at the first Read of the
// dialled connection, since Dial ends before the listener has seen it.
type TLS struct {
	// Over carries the TLS records.
	Over Transport
}

// Dial implements Transport. The handshake is done when it returns.
func (t *TLS) Dial(ctx context.Context, a addr.Addr) (Conn, error) {
	return t.DialChecked(ctx, a, nil)
}

// DialChecked implements Checker.
func (t *TLS) DialChecked(ctx context.Context, a addr.Addr, check func(netip.Addr) error) (Conn, error) {
	config, err := tlsConfig()
	if err != nil {
		return nil, &Error{opDial, a, err}
	}
	inner, err := dialChecked(ctx, t.Over, a, check)
	if err != nil {
		return nil, err
	}
	conn := &tlsConn{tls.Client(inner, config), inner}
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = inner.Close() // there is an error to report already
		return nil, &Error{opDial, a, err}
	}
	return conn, nil
}

// DialOnly implements the interface of that name: it is as what it goes over.
func (t *TLS) DialOnly() bool { return !CanListen(t.Over) }

// Listen implements Transport.
func (t *TLS) Listen(ctx context.Context, a addr.Addr) (Listener, error) {
	config, err := tlsConfig()
	if err != nil {
		return nil, &Error{opListen, a, err}
	}
	inner, err := t.Over.Listen(ctx, a)
	if err != nil {
		return nil, err
	}
	return &tlsListener{inner, config}, nil
}

// tlsConfig is the configuration of a listener or of one dial, with a
// certificate of its own.
func tlsConfig() (*tls.Config, error) {
	cert, err := newCertificate()
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:       tls.VersionTLS13,
		Certificates:     []tls.Certificate{cert},
		CurvePreferences: []tls.CurveID{tls.X25519}, // as peers have it; a post-quantum share would only be discarded
		// A resumed session would come without a certificate.
		SessionTicketsDisabled: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			return checkCertificate(state.PeerCertificates[0])
		},

		// Listening. The certificate is checked above, and is nobody's to sign.
		ClientAuth: tls.RequireAnyClientCert,

		// Dialling. Likewise: VerifyConnection is the whole check.
		ServerName:         certificateName,
		InsecureSkipVerify: true, //nolint:gosec // a self-signed certificate has no chain to verify
	}, nil
}

type tlsListener struct {
	Listener
	config *tls.Config
}

// Accept leaves the handshake to whoever takes the connection.
func (l *tlsListener) Accept() (Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &tlsConn{tls.Server(inner, l.config), inner}, nil
}

type tlsConn struct {
	*tls.Conn
	inner Conn
}

// Peer is the other end of what carries the records.
func (c *tlsConn) Peer() addr.Addr { return c.inner.Peer() }

// Handshake implements Handshaker.
func (c *tlsConn) Handshake(ctx context.Context) error {
	if err := c.HandshakeContext(ctx); err != nil {
		return &Error{opHandshake, c.Peer(), err}
	}
	return nil
}

// CloseWrite says that our half ends, if the peer takes it in time.
func (c *tlsConn) CloseWrite() error {
	timer := time.AfterFunc(tlsCloseTimeout, func() {
		_ = c.inner.SetWriteDeadline(time.Unix(1, 0)) // fails only on a closed connection
	})
	defer timer.Stop()
	return c.Conn.CloseWrite()
}

// Close says so too, then closes the connection in any case.
func (c *tlsConn) Close() error {
	timer := time.AfterFunc(tlsCloseTimeout, func() {
		_ = c.inner.Close() // the other Close reports
	})
	defer timer.Stop()
	return c.Conn.Close()
}
