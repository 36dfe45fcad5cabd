package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/quic-go/quic-go"

	"dchat/p2p/addr"
)

// Screener is a Listener that works before Accept returns, and can be spared that work
// for peers that are refused anyway.
type Screener interface {
	// Screen has refused asked about each newcomer before anything else is done; one of
	// which it is true is turned away and not accepted. It is called with
	// what Peer of the connection would be, which may be forged still, and must not
	// block.
	Screen(refused func(peer addr.Addr) bool)
}

// quicListener is the listener of a socket.
type quicListener struct {
	socket *quicSocket
	inner  *quic.Listener
	addr   addr.Addr
	closed atomic.Bool
}

// Addr is the address listened on.
func (l *quicListener) Addr() addr.Addr { return l.addr }

// Screen implements Screener.
func (l *quicListener) Screen(refused func(peer addr.Addr) bool) {
	l.socket.load.setScreen(func(from netip.AddrPort) bool { return refused(l.peer(from)) })
}

// Accept returns a connection when its TLS handshake is done, which shows that the peer is
// at its address. Handshakes go on beside each other and have limits of their own.
func (l *quicListener) Accept() (Conn, error) {
	conn, err := l.inner.Accept(context.Background())
	if err == nil {
		handshakeDone(conn)
	}
	if err == nil && (l.closed.Load() || !l.socket.use()) {
		_ = conn.CloseWithError(quicDone, "") // nothing was sent
		err = net.ErrClosed
	}
	if err != nil {
		return nil, &net.OpError{Op: "accept", Net: addr.QUIC, Err: net.ErrClosed} // nothing else ends a listener
	}
	return newQUICAccepted(l.socket, conn, l.peer(udpAddrPort(conn.RemoteAddr()))), nil
}

func (l *quicListener) peer(from netip.AddrPort) addr.Addr {
	return addr.FromIP(l.addr.Scheme(), from)
}

// Close also closes the connections that wait to be accepted.
func (l *quicListener) Close() error {
	if l.closed.Swap(true) {
		return &net.OpError{Op: "close", Net: addr.QUIC, Err: net.ErrClosed}
	}
	_ = l.inner.Close() // it always succeeds
	waiting, err := l.inner.Accept(context.Background())
	for ; err == nil; waiting, err = l.inner.Accept(context.Background()) {
		_ = waiting.CloseWithError(quicDone, "") // nothing was sent
	}
	l.socket.unlisten()
	return nil
}

const (
	// With more than quicMany handshakes under way on a socket, a newcomer has to show
	// first that it receives what is sent to its address, and must be quick. Beyond
	// quicMost none is begun, nor beyond quicShare for the same host.
	quicMany  = 16
	quicMost  = 128
	quicShare = quicMost / 4
)

// errTurnedAway refuses a newcomer. Nobody gets to see it.
var errTurnedAway = errors.New("turned away")

// quicLoad counts the TLS handshakes under way on a socket, and those that are done and
// wait to be accepted, and bounds them.
type quicLoad struct {
	mu    sync.Mutex
	count int
	of    map[netip.Prefix]int // by host: an IPv4 address, or an IPv6 /64
	// refused is asked about newcomers, unless nil.
	refused func(netip.AddrPort) bool
}

func newQUICLoad() *quicLoad { return &quicLoad{of: make(map[netip.Prefix]int)} }

// quicLoadKey finds in the context of a connection what ends its part in the load.
type quicLoadKey struct{}

// begin is asked by quic-go about each newcomer.
func (l *quicLoad) begin(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	from := udpAddrPort(info.RemoteAddr)
	if refused := l.screen(); refused != nil && refused(from) {
		return nil, errTurnedAway
	}
	host := addr.HostNetwork(from.Addr())
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count >= quicMost || l.of[host] >= quicShare && !from.Addr().IsLoopback() {
		return nil, errTurnedAway
	}
	l.count++
	l.of[host]++
	end := sync.OnceFunc(func() { l.end(host) })
	stop := context.AfterFunc(ctx, end)
	return context.WithValue(ctx, quicLoadKey{}, func() {
		stop()
		end()
	}), nil
}

// handshakeDone ends the part that a connection has in the load of its socket.
func handshakeDone(conn *quic.Conn) {
	if end, ok := conn.Context().Value(quicLoadKey{}).(func()); ok {
		end()
	}
}

func (l *quicLoad) screen() func(netip.AddrPort) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refused
}

func (l *quicLoad) setScreen(refused func(netip.AddrPort) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused = refused
}

func (l *quicLoad) end(host netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count--
	if l.of[host]--; l.of[host] == 0 {
		delete(l.of, host)
	}
}

func (l *quicLoad) many() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count > quicMany
}

// config is what a listener on the socket does.
func (l *quicLoad) config() *quic.Config {
	config, hurried := quicConfig(1, quicHandshake), quicConfig(1, quicHurry)
	config.GetConfigForClient = func(*quic.ClientInfo) (*quic.Config, error) {
		if l.many() {
			return hurried, nil
		}
		return config, nil
	}
	return config
}

// udpAddrPort is a socket address of quic-go's, with IPv4 as IPv4 also over a socket for
// both families.
func udpAddrPort(a net.Addr) netip.AddrPort {
	ap := a.(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
