package transport_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go/testutils/simnet"

	"dchat/p2p/transport"
)

// udpNet is a network of UDP sockets in memory. Everything takes udpLatency to arrive.
type udpNet struct {
	mu    sync.Mutex
	ends  map[string]simnet.PacketReceiver
	ports int
	drop  func(p simnet.Packet) bool // nil drops nothing
}

const udpLatency = 10 * time.Millisecond

func newUDPNet() *udpNet { return &udpNet{ends: make(map[string]simnet.PacketReceiver), ports: 40000} }

// node is a QUIC transport on a host of this network.
func (n *udpNet) node(ip string) *transport.QUIC {
	q := &transport.QUIC{}
	q.OpenWith(func(_ string, at netip.AddrPort) (transport.QUICPort, error) {
		return n.end(ip, int(at.Port())), nil
	})
	return q
}

// end opens a socket on a host of this network; port 0 is any.
func (n *udpNet) end(ip string, port int) *udpEnd {
	if port == 0 {
		n.mu.Lock()
		n.ports++
		port = n.ports
		n.mu.Unlock()
	}
	return &udpEnd{SimConn: simnet.NewSimConn(&net.UDPAddr{IP: net.ParseIP(ip), Port: port}, n), net: n}
}

// dropping changes what is dropped.
func (n *udpNet) dropping(drop func(p simnet.Packet) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.drop = drop
}

// open tells whether a host of the network has a socket.
func (n *udpNet) open(ip string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for at := range n.ends {
		if strings.HasPrefix(at, ip+":") {
			return true
		}
	}
	return false
}

func (n *udpNet) AddNode(at net.Addr, r simnet.PacketReceiver) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ends[at.String()] = r
}

func (n *udpNet) SendPacket(p simnet.Packet) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if to := n.ends[p.To.String()]; to != nil && (n.drop == nil || !n.drop(p)) {
		time.AfterFunc(udpLatency, func() { to.RecvPacket(p) })
	}
	return nil
}

// udpEnd is a socket that leaves the network when it is closed.
type udpEnd struct {
	*simnet.SimConn
	net  *udpNet
	dead atomic.Bool // its host is off
}

func (e *udpEnd) WriteTo(p []byte, to net.Addr) (int, error) {
	if e.dead.Load() {
		return len(p), nil
	}
	return e.SimConn.WriteTo(p, to)
}

func (e *udpEnd) Close() error {
	e.net.mu.Lock()
	delete(e.net.ends, e.LocalAddr().String())
	e.net.mu.Unlock()
	return e.SimConn.Close()
}

// pairOf returns two ends of a connection between two hosts of a network; the dialler
// has said a byte.
func (n *udpNet) pairOf(t *testing.T) (dialled, accepted transport.Conn) {
	t.Helper()
	l := mustListen(t, n.node("127.6.6.6"), "quic://127.6.6.6:7000")
	dialler := n.node("127.9.9.9")
	dialled, err := dialler.Dial(t.Context(), l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if accepted, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	if _, err := dialled.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if err := shakeHands(t.Context(), accepted); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(accepted, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = dialled.Close() // the test may have closed it
		_ = accepted.Close()
		dialler.Settle(context.WithoutCancel(t.Context()))
	})
	return dialled, accepted
}

func all(simnet.Packet) bool { return true }
