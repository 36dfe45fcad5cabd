package transport

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"

	"dchat/p2p/addr"
)

const (
	memBuffer  = 64 << 10
	memBacklog = 128

	// Ports that are chosen for those who ask for none.
	memPortFirst = 32768
	memPortLast  = 65535
)

// Mem is a network inside this process, for tests and for nodes that live
// together. An address exists in it when somebody listens there. It serves any
// scheme whose addresses have a host and a port; two schemes share the ports of
// a host as tcp and tcp+tls do. Names are not looked up: each is a host.
//
// Connections behave like TCP's on a network without delay or loss. Everything
// waits in ways that testing/synctest understands, and no goroutine runs behind
// the caller's back.
type Mem struct {
	// Buffer is how many bytes one direction of a connection holds before writing
	// blocks, at least 1; 0 is 64 KiB. It is allocated as it fills.
	Buffer int

	// Backlog is how many connections wait to be accepted before dialling blocks;
	// 0 is 128.
	Backlog int

	mu        sync.Mutex
	listeners map[string]*memListener // by host and port
	port      uint16                  // chosen last
}

// NewMem returns an empty network. Its fields may be set before it is used.
func NewMem() *Mem {
	return &Mem{listeners: make(map[string]*memListener), port: memPortLast}
}

// Dial implements Transport: it dials from the loopback address of the family
// of a.
func (m *Mem) Dial(ctx context.Context, a addr.Addr) (Conn, error) {
	return m.dial(ctx, a, netip.Addr{})
}

// Listen implements Transport. 0.0.0.0 and [::] stand for the loopback
// addresses.
func (m *Mem) Listen(ctx context.Context, a addr.Addr) (Listener, error) {
	return m.listen(ctx, a, netip.Addr{})
}

// From returns the network as it is seen from a host: connections come from this
// IP address, and 0.0.0.0 or [::], whichever is of its family, stands for it.
func (m *Mem) From(host netip.Addr) Transport { return &memHost{m, host} }

type memHost struct {
	mem *Mem
	ip  netip.Addr
}

// Dial implements Transport.
func (h *memHost) Dial(ctx context.Context, a addr.Addr) (Conn, error) {
	return h.mem.dial(ctx, a, h.ip)
}

// Listen implements Transport.
func (h *memHost) Listen(ctx context.Context, a addr.Addr) (Listener, error) {
	return h.mem.listen(ctx, a, h.ip)
}

func (m *Mem) dial(ctx context.Context, a addr.Addr, from netip.Addr) (Conn, error) {
	to, err := memEndpoint(a, from)
	if err != nil {
		return nil, &Error{opDial, a, err}
	}
	if !from.IsValid() {
		from = loopback(to.ip.Is6())
	}
	m.mu.Lock()
	l := m.listeners[to.String()]
	source := netip.AddrPortFrom(from, m.nextPort())
	m.mu.Unlock()
	if l == nil {
		return nil, &Error{opDial, a, syscall.ECONNREFUSED}
	}
	client, server := newMemConns(cmp.Or(m.Buffer, memBuffer),
		memEnd{addr: memAddr{ip: source.Addr(), port: source.Port()}, peer: addr.FromIP(l.addr.Scheme(), source)},
		memEnd{addr: to, peer: a})
	if err := l.offer(ctx, server); err != nil {
		return nil, &Error{opDial, a, err}
	}
	return client, nil
}

func (m *Mem) listen(ctx context.Context, a addr.Addr, own netip.Addr) (Listener, error) {
	at, err := memEndpoint(a, own)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, &Error{opListen, a, err}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if at.port == 0 && !m.choosePort(&at) || m.listeners[at.String()] != nil {
		return nil, &Error{opListen, a, syscall.EADDRINUSE}
	}
	bound, _ := a.WithPort(at.port)
	l := &memListener{
		mem:   m,
		key:   at.String(),
		addr:  bound,
		queue: make(chan *memConn, cmp.Or(m.Backlog, memBacklog)),
		done:  make(chan struct{}),
	}
	m.listeners[l.key] = l
	return l, nil
}

// choosePort picks a port of the host that nobody listens on, unless there is
// none left.
func (m *Mem) choosePort(at *memAddr) bool {
	for range memPortLast - memPortFirst + 1 {
		at.port = m.nextPort()
		if m.listeners[at.String()] == nil {
			return true
		}
	}
	return false
}

func (m *Mem) nextPort() uint16 {
	if m.port == memPortLast {
		m.port = memPortFirst
	} else {
		m.port++
	}
	return m.port
}

// memAddr is an endpoint of a Mem network. It is a net.Addr.
type memAddr struct {
	ip   netip.Addr // not valid when the host is a name
	name string
	port uint16
}

// Network implements net.Addr.
func (memAddr) Network() string { return "mem" }

// String implements net.Addr, with the host and port.
func (a memAddr) String() string {
	if a.ip.IsValid() {
		return netip.AddrPortFrom(a.ip, a.port).String()
	}
	return net.JoinHostPort(a.name, strconv.Itoa(int(a.port)))
}

// memEndpoint is what an address stands for on a host with that IP address of
// its own, which is not valid for the loopback host.
func memEndpoint(a addr.Addr, own netip.Addr) (memAddr, error) {
	port, ok := a.Port()
	if !ok {
		return memAddr{}, ErrNoPort
	}
	ip, ok := a.IP()
	if !ok {
		return memAddr{name: a.Hostname(), port: port}, nil
	}
	if ip.IsUnspecified() {
		switch {
		case !own.IsValid():
			ip = loopback(ip.Is6())
		case ip.Is4() == own.Is4():
			ip = own
		default:
			return memAddr{}, syscall.EADDRNOTAVAIL
		}
	}
	return memAddr{ip: ip, port: port}, nil
}

func loopback(ipv6 bool) netip.Addr {
	if ipv6 {
		return netip.IPv6Loopback()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}
