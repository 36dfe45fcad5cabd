package p2p_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// process is the sockets of one node as if it were a process of its own: all of them can be
// closed at once, as by kill -9, and it can be suspended.
type process struct {
	transport.Transport
	mu      sync.Mutex
	open    map[interface{ Close() error }]bool
	killed  bool
	goes    chan struct{} // closed while it is not suspended
	resumes func()
}

func newProcess() *process {
	goes := make(chan struct{})
	close(goes)
	return &process{Transport: &transport.TCP{}, open: make(map[interface{ Close() error }]bool), goes: goes, resumes: func() {}}
}

// keep takes a new socket; none is had after the kill.
func (p *process) keep(socket interface{ Close() error }) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed {
		return errors.Join(syscall.ECONNREFUSED, socket.Close())
	}
	p.open[socket] = true
	return nil
}

func (p *process) forget(socket interface{ Close() error }) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, socket)
}

func (p *process) Dial(ctx context.Context, a addr.Addr) (transport.Conn, error) {
	conn, err := p.Transport.Dial(ctx, a)
	if err != nil {
		return nil, err
	}
	return processConn{conn, p}, p.keep(conn)
}

func (p *process) Listen(ctx context.Context, a addr.Addr) (transport.Listener, error) {
	l, err := p.Transport.Listen(ctx, a)
	if err != nil {
		return nil, err
	}
	return processListener{l, p}, p.keep(l)
}

// kill closes every socket.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killed = true
	for socket := range p.open {
		_ = socket.Close() // the node may have closed it
	}
}

// suspend stops all reading and writing until resume.
func (p *process) suspend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	goes := make(chan struct{})
	p.goes, p.resumes = goes, func() { close(goes) }
}

func (p *process) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resumes()
	p.resumes = func() {}
}

func (p *process) wait() {
	p.mu.Lock()
	goes := p.goes
	p.mu.Unlock()
	<-goes
}

type processListener struct {
	transport.Listener
	process *process
}

func (l processListener) Accept() (transport.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.process.wait()
	return processConn{conn, l.process}, l.process.keep(conn)
}

type processConn struct {
	transport.Conn
	process *process
}

func (c processConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.process.wait()
	return n, err
}

func (c processConn) Write(b []byte) (int, error) {
	c.process.wait()
	return c.Conn.Write(b)
}

func (c processConn) Close() error {
	c.process.forget(c.Conn)
	return c.Conn.Close()
}

// town is a seed and members that know only it, over real sockets.
type town struct {
	t       *testing.T
	seed    *node
	members []*node
	sockets []*process
	target  int
}

// newTown starts so many members with so many slots each, and waits until they are all connected.
func newTown(t *testing.T, size, slots int) *town {
	t.Helper()
	seed := startNode(t, transport.Default(), seedNode, func(s *p2p.Settings) {
		s.Inbound = []addr.Addr{addr.MustParse("tcp://127.0.0.1:0")}
	})
	w := &town{t: t, seed: seed, members: make([]*node, size), sockets: make([]*process, size), target: slots}
	for i := range size {
		w.start(i, addr.MustParse("tcp://127.0.0.1:0"))
	}
	t.Logf("%d nodes with %d slots are all connected after %v", size, slots, w.recovers(patience))
	return w
}

// start starts a member, one that knows nothing but the seed.
func (w *town) start(i int, own addr.Addr) {
	w.t.Helper()
	w.sockets[i] = newProcess()
	w.members[i] = startNode(w.t, transport.Set{addr.TCP: w.sockets[i]}, func(s *p2p.Settings) {
		s.Inbound, s.ExternalAddrs, s.Seeds = []addr.Addr{own}, []addr.Addr{own}, w.seed.Addrs()
		s.OutboundConnections, s.InboundConnections = w.target, 64
	})
}

// kill ends a member as kill -9 does: its sockets first.
func (w *town) kill(i int) {
	w.t.Helper()
	w.sockets[i].kill()
	w.members[i].stop()
}

// recovers waits until every member has a connection in each of its slots, and returns how long
// that took.
func (w *town) recovers(within time.Duration) time.Duration {
	w.t.Helper()
	began := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ; w.lack() != ""; <-tick.C {
		if time.Since(began) > within {
			w.t.Fatalf("not within %v: %s", within, w.lack())
		}
	}
	return time.Since(began).Round(time.Millisecond)
}

// lack says who is not at the target.
func (w *town) lack() string {
	for i, n := range w.members {
		if got := connectedSlots(n); got < w.target {
			return fmt.Sprintf("member %d has %d connections, want %d: %+v", i, got, w.target, n.Slots())
		}
	}
	return ""
}

func (w *town) wantNoBans() {
	w.t.Helper()
	for _, n := range append([]*node{w.seed}, w.members...) {
		if bans := n.Hosts().Bans(); len(bans) > 0 {
			w.t.Errorf("%v has banned %+v", n.Addrs(), bans)
		}
	}
}

// blow is how soon all are back at their target after each blow.
const blow = 20 * time.Second

// P8: 20 nodes over real sockets; each in turn is killed and comes back at its address, knowing
// nothing but the seed. All have all their connections again within 20 s, and nobody is banned.
func TestP8EachOfTwentyRealNodesIsKilledAndRestarted(t *testing.T) {
	t.Parallel()
	w := newTown(t, 20, 8)
	var worst time.Duration
	for i, n := range w.members {
		own := n.Addrs()[0]
		w.kill(i)
		gone := w.without(i)
		w.start(i, own)
		worst = max(worst, gone+w.recovers(blow-gone))
	}
	t.Logf("at worst all were back at %d connections %v after a kill", w.target, worst)
	w.wantNoBans()
}

// without waits until the others have all their connections without a member that is gone.
func (w *town) without(i int) time.Duration {
	w.t.Helper()
	rest := *w
	rest.members = append(append([]*node{}, w.members[:i]...), w.members[i+1:]...)
	return rest.recovers(blow)
}

// P8: a pause of 10 s costs no connection. In real time 4 of the 20 nodes are paused in turn, to
// take less than a minute; the tests of package p2ptest do it to all 20, in virtual time.
func TestP8RealNodesArePaused(t *testing.T) {
	t.Parallel()
	w := newTown(t, 20, 8)
	var worst time.Duration
	for i := range 4 {
		paused := w.members[i]
		paused.received()
		w.sockets[i].suspend()
		for _, n := range w.members {
			if n != paused {
				if _, err := n.Broadcast(&text{"are you there?"}); err != nil {
					t.Error(err)
				}
			}
		}
		<-time.After(10 * time.Second)
		if got := paused.received(); len(got) > 0 {
			t.Errorf("received %d texts in the pause", len(got))
		}
		w.sockets[i].resume()
		worst = max(worst, w.recovers(blow))
		for range w.target {
			paused.text() // of its neighbours
		}
	}
	t.Logf("at worst all were back at %d connections %v after a pause", w.target, worst)
	w.wantNoBans()
}
