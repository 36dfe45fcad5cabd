package p2ptest

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// host is an IP address in a network, with the ports that it has.
type host struct {
	ip        netip.Addr
	group     int // of the partition; 0: none
	stalled   bool
	listeners map[uint16]*listener
	port      uint16 // chosen last
}

// The ports that are chosen for those who ask for none.
const (
	portFirst = 32768
	portLast  = 65535
)

func (h *host) nextPort() uint16 {
	if h.port == portLast {
		h.port = portFirst
	} else {
		h.port = max(h.port+1, portFirst)
	}
	return h.port
}

// freePort chooses a port that nobody listens on, 0 when there is none.
func (h *host) freePort() uint16 {
	for range portLast - portFirst + 1 {
		if port := h.nextPort(); h.listeners[port] == nil {
			return port
		}
	}
	return 0
}

// process is a program on a host, as the network sees it: a transport.Transport.
type process struct {
	net  *Network
	host *host
	dead bool // it does not run, and nothing of it reaches the network
}

// endpoint is what an address stands for on this host.
func (p *process) endpoint(a addr.Addr) (netip.AddrPort, error) {
	port, ok := a.Port()
	if !ok {
		return netip.AddrPort{}, transport.ErrNoPort
	}
	ip, ok := a.IP()
	if !ok {
		return netip.AddrPort{}, &net.DNSError{Err: "there are no names in a simulated network", Name: a.Hostname(), IsNotFound: true}
	}
	if ip.IsUnspecified() {
		ip = p.host.ip
	}
	return netip.AddrPortFrom(ip, port), nil
}

// Dial implements transport.Transport.
func (p *process) Dial(ctx context.Context, a addr.Addr) (transport.Conn, error) {
	to, err := p.endpoint(a)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, &transport.Error{Op: "dial", Addr: a, Err: err}
	}
	began := p.net.now()
	c, err := p.net.dial(ctx, p, a, to)
	p.net.tell(Dialled{At: began, Took: p.net.now() - began, From: p.host.ip, To: a, Err: err})
	if err != nil {
		return nil, &transport.Error{Op: "dial", Addr: a, Err: err}
	}
	return c, nil
}

// Listen implements transport.Transport.
func (p *process) Listen(ctx context.Context, a addr.Addr) (transport.Listener, error) {
	at, err := p.endpoint(a)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, &transport.Error{Op: "listen on", Addr: a, Err: err}
	}
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	port := at.Port()
	if port == 0 {
		port = p.host.freePort()
	}
	switch {
	case at.Addr() != p.host.ip:
		err = syscall.EADDRNOTAVAIL
	case port == 0, p.host.listeners[port] != nil:
		err = syscall.EADDRINUSE
	}
	if err != nil {
		return nil, &transport.Error{Op: "listen on", Addr: a, Err: err}
	}
	bound, _ := a.WithPort(port)
	l := &listener{process: p, addr: bound, port: port}
	l.changed.L = &p.net.mu
	p.host.listeners[port] = l
	return l, nil
}

// backlog is how many connections wait to be accepted before further ones get no
// answer.
const backlog = 128

// listener takes the connections to one port of a host.
type listener struct {
	process *process
	addr    addr.Addr
	port    uint16

	changed sync.Cond
	queue   []*conn // connected, not yet accepted
	closed  bool
}

// Addr is the address listened on.
func (l *listener) Addr() addr.Addr { return l.addr }

// Accept takes the connection that has waited longest.
func (l *listener) Accept() (transport.Conn, error) {
	l.process.net.mu.Lock()
	defer l.process.net.mu.Unlock()
	for !l.closed {
		if len(l.queue) > 0 {
			c := l.queue[0]
			l.queue = l.queue[1:]
			return c, nil
		}
		l.changed.Wait()
	}
	return nil, &net.OpError{Op: "accept", Net: "tcp", Err: net.ErrClosed}
}

// Close also resets the connections that wait.
func (l *listener) Close() error {
	l.process.net.mu.Lock()
	defer l.process.net.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	l.close()
	return nil
}

func (l *listener) close() {
	l.closed = true
	delete(l.process.host.listeners, l.port)
	for _, c := range l.queue {
		c.leave(parcelReset)
	}
	l.queue = nil
	l.changed.Broadcast()
}

// offer queues a connection to be accepted.
func (l *listener) offer(c *conn) {
	if c.closed {
		return
	}
	if l.closed {
		c.leave(parcelReset)
		return
	}
	l.queue = append(l.queue, c)
	l.changed.Broadcast()
}

// dialling is an attempt to connect.
type dialling struct {
	event
	from *process
	addr addr.Addr
	to   netip.AddrPort
	id   uint64

	asked    int  // how often
	arrived  bool // the question did; the answer is under way
	listener *listener

	done chan struct{} // closed when there is a result
	conn *conn
	err  error
}

// A question that gets no answer is asked again after a second, then after twice
// the time, and so on up to this.
const askAgainLast = time.Minute

func (n *Network) dial(ctx context.Context, from *process, a addr.Addr, to netip.AddrPort) (*conn, error) {
	d := &dialling{from: from, addr: a, to: to, done: make(chan struct{})}
	d.id = mix(mixText(from.host.ip.String()), mixText(to.String()), uint64(n.now()))
	d.event = event{order: d.id, happen: func() { n.dialStep(d) }}
	n.mu.Lock()
	n.schedule.add(&d.event, n.arrival(d.id))
	n.mu.Unlock()
	select {
	case <-d.done:
	case <-ctx.Done():
	}
	n.mu.Lock()
	if d.conn == nil && d.err == nil {
		n.schedule.remove(&d.event)
		n.giveUp(d, ctx.Err())
	}
	n.mu.Unlock()
	<-d.done
	return d.conn, d.err
}

// giveUp ends an attempt at an instant of its own: many of a node may time out at
// the same one.
func (n *Network) giveUp(d *dialling, err error) {
	d.happen = func() {
		d.err = err
		close(d.done)
	}
	n.schedule.add(&d.event, n.now()+time.Duration(d.id%uint64(time.Microsecond)))
}

// dialStep is the arrival of the question, or that of the answer.
func (n *Network) dialStep(d *dialling) {
	to := n.hosts[d.to.Addr()]
	if d.from.dead {
		return // the attempt ends with the process
	}
	lost := to == nil || n.parted(d.from.host, to)
	switch {
	case lost, !d.arrived && n.loses(d, to):
		d.arrived = false
		pause := min(time.Second<<min(d.asked, 10), askAgainLast)
		d.asked++
		n.schedule.add(&d.event, n.arrival(d.id)+pause)
		return
	case !d.arrived:
		d.arrived, d.listener = true, to.listeners[d.to.Port()]
		n.schedule.add(&d.event, n.arrival(d.id))
		return
	case d.listener == nil:
		d.err = syscall.ECONNREFUSED
	default:
		d.conn = n.connect(d)
	}
	close(d.done)
}

// loses tells whether a question gets lost that could arrive.
func (n *Network) loses(d *dialling, to *host) bool {
	if l := to.listeners[d.to.Port()]; l != nil && len(l.queue) >= backlog {
		return true
	}
	chance := float64(mix(n.config.Seed, d.id, uint64(d.asked), 3)>>11) / (1 << 53)
	return chance < n.config.Loss
}
