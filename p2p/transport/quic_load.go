package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"

	"github.com/quic-go/quic-go"
)

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
	host := quicHost(from.Addr())
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

// quicHost is what has one share.
func quicHost(ip netip.Addr) netip.Prefix {
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	host, _ := ip.WithZone("").Prefix(bits) // it has as many
	return host
}

// udpAddrPort is a socket address of quic-go's, with IPv4 as IPv4 also over a socket for
// both families.
func udpAddrPort(a net.Addr) netip.AddrPort {
	ap := a.(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
