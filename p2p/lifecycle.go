package p2p

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/channel"
	"dchat/p2p/portmap"
	"dchat/p2p/session"
)

// State is where a node is between being made and being stopped.
type State int

// The states, in their order; from Stopped a node can go to Starting again.
const (
	Created State = iota
	Starting
	Running
	Stopping
	Stopped
)

var stateNames = [...]string{"created", "starting", "running", "stopping", "stopped"}

// String returns the state's name.
func (s State) String() string { return stateNames[s] }

// Errors of Start and Stop.
var (
	// ErrStarted says that the node cannot be started in the state it is in.
	ErrStarted = errors.New("the p2p node is started already")
	// ErrStartCancelled says that Stop came while the node was starting.
	ErrStartCancelled = errors.New("the p2p node was stopped while it started")
	// ErrStopIncomplete says that something of the node did not end in time.
	ErrStopIncomplete = errors.New("the p2p node did not stop in time")
)

// run is the time from one Start to the Stop that belongs to it.
type run struct {
	ctx      context.Context // the work's; not the one given to Start, which bounds starting only
	cancel   context.CancelFunc
	env      *session.Env // what the sessions share
	inbound  *session.Inbound
	manual   *session.Manual
	seeds    *session.SeedSync
	outbound *session.Outbound
	refine   *session.Refine
	direct   *session.Direct
	mapper   *portmap.Mapper // nil: no port is to be mapped
	sessions sync.WaitGroup
	cut      context.CancelFunc // ends what goes on of closed connections
	settling context.Context    // until when it may
	done     chan struct{}      // closed when everything has ended
}

// newRun makes what runs until Stop. The context given to Start has no say in that.
func (p *P2p) newRun(ctx context.Context) *run {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	settling, cut := context.WithCancel(context.WithoutCancel(ctx))
	env := p.env()
	seeds := session.NewSeedSync(env, p.settings.Seeds)
	r := &run{
		ctx:      ctx,
		cancel:   cancel,
		env:      env,
		manual:   session.NewManual(env, p.settings.Peers),
		seeds:    seeds,
		outbound: session.NewOutbound(env, p.settings.OutboundConnections, seeds),
		refine:   session.NewRefine(env),
		direct:   session.NewDirect(ctx, env, seeds),
		cut:      cut,
		settling: settling,
		done:     make(chan struct{}),
	}
	r.mapper = p.mapper(r)
	return r
}

// State returns the state the node is in now.
func (p *P2p) State() State { return State(p.state.Load()) }

func (p *P2p) setState(s State) { p.state.Store(int32(s)) }

// Start listens on the inbound addresses and begins to connect to peers; it
// returns as soon as that is under way, in milliseconds, and waits for no
// connection. ctx bounds starting only. On an error, a *transport.Error for
// an address that cannot be listened on, a *hosts.LockedError when another
// process uses the host list, nothing is left running. A node that
// was stopped can be started again; one that runs returns ErrStarted.
func (p *P2p) Start(ctx context.Context) error {
	p.mu.Lock()
	if state := p.State(); state != Created && state != Stopped {
		defer p.mu.Unlock()
		return fmt.Errorf("%w: it is %v", ErrStarted, state)
	}
	r := p.newRun(ctx)
	p.run = r
	p.setState(Starting)
	p.mu.Unlock()
	p.forgetLost()

	p.log.Info("Starting P2P network")
	err := p.begin(ctx, r)
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.ctx.Err() != nil {
		if err == nil {
			err = errors.Join(r.inbound.Close(), p.hosts.Close())
		}
		err = errors.Join(ErrStartCancelled, err)
	}
	if err != nil {
		r.cancel()
		r.cut()
		p.setState(Stopped)
		close(r.done)
		return err
	}
	p.setState(Running)
	p.alone = time.Now()
	p.work(r)
	return nil
}

// Err returns the channel on which the node reports what it cannot mend while it runs:
// the listener of an inbound address broke, and for half a minute the address could
// not be listened on again. Each error is a *transport.Error that names the address.
// The node goes on without it; whoever embeds the node decides whether that will do.
//
// The channel is the same in every state and is never closed. Nobody has to read it: it
// holds an error of each address, and Start takes out what the last run has left.
// Each error is there once, so have one reader.
func (p *P2p) Err() <-chan error { return p.lost }

// lose reports an address; there is room for each.
func (p *P2p) lose(err error) { p.lost <- err }

// forgetLost takes out what nobody has read.
func (p *P2p) forgetLost() {
	for {
		select {
		case <-p.lost: //nolint:errcheck // nobody wants it
		default:
			return
		}
	}
}

// startTime bounds Start, also where ctx does not: an inbound address can be a
// name, whose lookup takes as long as it likes.
const startTime = 5 * time.Second

// begin is the part of starting that can fail.
func (p *P2p) begin(ctx context.Context, r *run) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	stop := context.AfterFunc(r.ctx, cancel) // Stop during Start
	defer stop()
	err := p.openStore(ctx)
	if err != nil {
		return err
	}
	r.inbound, err = session.Listen(ctx, r.env, p.settings.Inbound, p.settings.InboundConnections)
	if err != nil {
		err = errors.Join(err, p.hosts.Close())
	}
	return err
}

// work runs the sessions, and sees the run to its end.
func (p *P2p) work(r *run) {
	if len(p.settings.Inbound) == 0 {
		p.log.Info("Not configured for accepting incoming connections.")
	}
	if p.knowsNobody() {
		p.log.Warn("Neither peers nor seeds are configured and no address is known: this node connects to nobody")
	}
	parts := []func(context.Context){
		func(ctx context.Context) { r.inbound.Run(ctx, p.lose) },
		r.manual.Run, r.seeds.Run, r.outbound.Run, r.refine.Run, r.direct.Run, p.keepStore,
	}
	if r.mapper != nil {
		parts = append(parts, r.mapper.Run)
	}
	for _, part := range parts {
		r.sessions.Go(func() { part(r.ctx) })
	}
	go func() {
		<-r.ctx.Done()
		p.saveStore() // before the connections end, so that what is connected is kept as such
		for _, ch := range p.everyChannel() {
			ch.Close(channel.ErrStopped)
		}
		r.sessions.Wait()
		p.settle(r)
		p.closeStore()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.setState(Stopped)
		close(r.done)
	}()
}

// settleTime bounds the wait for what was written to closed connections to arrive.
const settleTime = time.Second

// settle waits for what goes on of the connections that were closed.
func (p *P2p) settle(r *run) {
	defer r.cut()
	ctx, cancel := context.WithTimeout(r.settling, settleTime)
	defer cancel()
	p.transports.Settle(ctx)
}

// Stop ends everything the node does and waits for it: no new connections, then
// what is queued is sent and every connection closed between two frames. Peers
// that do not read are waited for less than two seconds, slow ones that do for a
// minute at most, or until shortly before ctx ends: what still waits is dropped
// then, and only the frames that are being sent come to their end. When ctx ends
// the rest is cut off, and what does not end even then is an ErrStopIncomplete.
//
// Stopping a node that does not run does nothing; stopping it twice waits for the
// first; stopping it while it starts makes Start fail. A message handler must not
// wait for Stop, since Stop waits for the handler.
func (p *P2p) Stop(ctx context.Context) error {
	p.mu.Lock()
	r := p.run
	if r == nil || p.State() == Stopped {
		p.mu.Unlock()
		return nil
	}
	first := p.State() == Running
	if first {
		p.setState(Stopping)
	}
	p.mu.Unlock()
	if first {
		p.log.Info("Stopping P2P network")
	}
	r.cancel()
	early, cancel := endEarlier(ctx, hurryTime)
	defer cancel()
	select {
	case <-r.done:
		return nil
	case <-early.Done():
	}
	for _, ch := range p.everyChannel() {
		ch.Hurry()
	}
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return p.abort(ctx, r)
	}
}

// hurryTime is how long before the end of Stop's ctx connections are told to end
// the frame that they are in, and abortTime how long what is cut off may take.
const (
	hurryTime = time.Second
	abortTime = 200 * time.Millisecond
)

// endEarlier returns a context that ends so much earlier than ctx, if ctx has a
// deadline.
func endEarlier(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-by))
	}
	return context.WithCancel(ctx)
}

func (p *P2p) abort(ctx context.Context, r *run) error {
	left := p.everyChannel()
	p.log.Warn("Cutting off connections that did not end in time", zap.Int("connections", len(left)))
	for _, ch := range left {
		ch.Abort(channel.ErrStopped)
	}
	r.cut()
	timer := time.NewTimer(abortTime)
	defer timer.Stop()
	select {
	case <-r.done:
		return nil
	case <-timer.C:
		return fmt.Errorf("%w: %d connections left: %w", ErrStopIncomplete, len(left), context.Cause(ctx))
	}
}

// everyChannel returns all channels, those in the handshake too.
func (p *P2p) everyChannel() []*channel.Channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Keys(p.channels))
}
