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
	// under way.
	quicHandshake = 10 * time.Second
	quicHurry     = 2 * time.Second
)

// QUIC connects over QUIC version 1. The zero value is ready for use; Resolver is not
// to be changed once it is in use.
//
// A connection is one stream in both directions, which the dialler opens at once. The
// other end hears of it with the first bytes. Handshake of an accepted connection waits
// for them, and when they do not come in time ends the connection.
//
// One without a sign of life from the peer ends after 30 s, or up to 45 s where the peer was
// asked for one meanwhile, with syscall.ETIMEDOUT; one that the peer resets with
// syscall.ECONNRESET. So does one whose peer was started again at the same address and has
// the ResetKey that it had before: with the next packet, which comes within 15 s.
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
// A dial whose context has ended returns at once and goes on by itself, for 10 s at most, so
// that a peer that answers late is told that nobody waits any more; 64 do at a time.
//
// Names are dialled and listened on as TCP does.
type QUIC struct {
	// Resolver looks up names; nil is the system's.
	Resolver *net.Resolver

	// ResetKey is asked once, when the first socket is opened, for a key that this process
	// keeps to itself and passes on to the one that takes its place. nil, or an error, stands
	// for a random one, which nobody takes over. It must not use the QUIC that asks.
	ResetKey func() (key [32]byte, err error)

	names names
	open  func(network string, at netip.AddrPort) (quicPort, error) // nil opens UDP sockets

	mu        sync.Mutex
	key       []byte // what ResetKey stands for, or nil
	sockets   []*quicSocket
	closing   map[*quicConn]struct{} // closed, and not gone yet
	abandoned map[*quicDial]struct{} // nobody waits for them, and they are not gone yet
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

// Settle implements Settler. Dials that nobody waits for any more are cut off as soon as it
// waits for nothing else.
func (q *QUIC) Settle(ctx context.Context) {
	q.mu.Lock()
	closing := slices.Collect(maps.Keys(q.closing))
	abandoned := slices.Collect(maps.Keys(q.abandoned))
	q.mu.Unlock()
	for _, c := range closing {
		select {
		case <-c.gone:
		case <-ctx.Done():
			c.stop(quicDone)
			<-c.gone
		}
	}
	for _, d := range abandoned {
		d.cancel()
	}
	for _, d := range abandoned {
		<-d.gone
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
