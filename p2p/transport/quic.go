package transport

import (
	"context"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"dchat/p2p/addr"
)

const (
	// quicIdle is how long a connection lives without a word from the peer, and
	// quicKeepAlive how long it is quiet before the peer is asked for one.
	quicIdle      = 30 * time.Second
	quicKeepAlive = 15 * time.Second

	// quicLinger bounds how long a connection that was closed goes on, so that what
	// was written before arrives, and quicGrace for how long when the peer has ended its
	// half as well.
	quicLinger = time.Second
	quicGrace  = 100 * time.Millisecond

	// What a peer may send before we read begins with quicWindowFirst, and grows to
	// quicWindowMost for one whose bytes are read as fast as they come.
	quicWindowFirst = 128 << 10
	quicWindowMost  = 1_250_000

	// A listener gives a handshake quicHandshake in all, or quicHurry while many are
	// under way. quicDialled is longer than any context lets a dial go on.
	quicHandshake = 10 * time.Second
	quicHurry     = 2 * time.Second
	quicDialled   = time.Hour
)

// QUIC connects over QUIC version 1. The zero value is ready for use; Resolver is not
// to be changed once it is in use.
//
// A connection is one stream in both directions, which the dialler opens at once. The
// other end hears of it with the first bytes. Handshake of an accepted connection waits
// for them, and when they do not come in time ends the connection. One without a sign of
// life from the peer ends after 30 s, with syscall.ETIMEDOUT; one that the peer resets
// with syscall.ECONNRESET.
//
// Encryption and certificates are those of TLS, which see; here a certificate belongs to
// a socket.
//
// What is dialled leaves from the socket of a listener that leads there, so that the peer
// sees the address listened on; else from a socket that all dials of its family
// share. Sockets close with the last of their listener and connections. To listen on [::]
// is to listen for both families. Nobody answers for a port where nobody listens: dialling
// it ends with the context.
//
// Names are dialled and listened on as TCP does.
type QUIC struct {
	// Resolver looks up names; nil is the system's.
	Resolver *net.Resolver

	names names
	open  func(network string, at netip.AddrPort) (net.PacketConn, error) // nil opens UDP sockets

	mu      sync.Mutex
	sockets []*quicSocket
	closing map[*quicConn]struct{} // closed, and not gone yet
}

// Dial implements Transport. The handshake is done when it returns.
func (q *QUIC) Dial(ctx context.Context, a addr.Addr) (Conn, error) {
	return q.DialChecked(ctx, a, nil)
}

// DialChecked implements Checker.
func (q *QUIC) DialChecked(ctx context.Context, a addr.Addr, check func(netip.Addr) error) (Conn, error) {
	network, err := tcpNetwork(a)
	if err != nil {
		return nil, &Error{opDial, a, err}
	}
	to := func(ctx context.Context, at netip.AddrPort) (*quicConn, error) { return q.dial(ctx, a, at) }
	conn, err := dialEach(ctx, &q.names, q.Resolver, a, check, to)
	if err != nil {
		return nil, &Error{opDial, a, tcpCause(err, network)}
	}
	return conn, nil
}

func (q *QUIC) dial(ctx context.Context, peer addr.Addr, to netip.AddrPort) (*quicConn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	source, err := sourceFor(ctx, to)
	if err != nil {
		return nil, unreachable(ctx, err, to)
	}
	s, err := q.socketTo(to.Addr(), source)
	if err != nil {
		return nil, err
	}
	conn, err := s.transport.Dial(ctx, net.UDPAddrFromAddrPort(to), s.tls, quicConfig(-1, quicDialled))
	if err == nil {
		var stream *quic.Stream
		if stream, err = conn.OpenStreamSync(ctx); err == nil {
			return newQUICDialled(s, conn, stream, peer, source), nil
		}
		_ = conn.CloseWithError(quicDone, "") // there is an error to report already
	}
	s.release()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, unreachable(ctx, quicCause(err), to)
}

// Listen implements Transport.
func (q *QUIC) Listen(ctx context.Context, a addr.Addr) (Listener, error) {
	l, err := q.listen(ctx, a)
	if err != nil {
		return nil, &Error{opListen, a, err}
	}
	return l, nil
}

func (q *QUIC) listen(ctx context.Context, a addr.Addr) (*quicListener, error) {
	network, err := tcpNetwork(a)
	if err != nil {
		return nil, err
	}
	at, err := q.names.first(ctx, q.Resolver, a)
	if err != nil {
		return nil, tcpCause(err, network)
	}
	s, inner, err := q.socketAt(at)
	if err != nil {
		return nil, tcpCause(err, network)
	}
	bound, _ := a.WithPort(s.local.Port())
	return &quicListener{socket: s, inner: inner, addr: bound}, nil
}

// Settle implements Settler.
func (q *QUIC) Settle(ctx context.Context) {
	q.mu.Lock()
	closing := slices.Collect(maps.Keys(q.closing))
	q.mu.Unlock()
	for _, c := range closing {
		select {
		case <-c.gone:
		case <-ctx.Done():
			c.stop(quicDone)
			<-c.gone
		}
	}
}

// quicConfig is how one side of a connection behaves; streams is how many the peer may
// open, -1 for none, and handshake the time for that.
func quicConfig(streams int64, handshake time.Duration) *quic.Config {
	return &quic.Config{
		Versions:                       []quic.Version{quic.Version1},
		HandshakeIdleTimeout:           handshake / 2, // in all it is given twice this
		MaxIdleTimeout:                 quicIdle,
		KeepAlivePeriod:                quicKeepAlive,
		InitialStreamReceiveWindow:     quicWindowFirst,
		MaxStreamReceiveWindow:         quicWindowMost,
		InitialConnectionReceiveWindow: quicWindowFirst,
		MaxConnectionReceiveWindow:     quicWindowMost,
		MaxIncomingStreams:             streams,
		MaxIncomingUniStreams:          -1,
		RequireStreamCreditRelease:     true, // and it never is: no stream comes after the first
	}
}
