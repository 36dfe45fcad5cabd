package session

import (
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"dchat/p2p/addr"
	"dchat/p2p/channel"
	"dchat/p2p/dnet"
	"dchat/p2p/transport"
)

// SlotState is what an outbound slot is doing.
type SlotState string

// The states of a slot.
const (
	SlotSleeping   SlotState = "sleeping"   // there is no address to try; the search for peers goes on
	SlotWaiting    SlotState = "waiting"    // there are addresses, to be tried a little later
	SlotConnecting SlotState = "connecting" // dialling, or shaking hands
	SlotConnected  SlotState = "connected"
)

// Slot is one place for an outbound connection.
type Slot struct {
	Number  int // from 0; it stays the slot's
	State   SlotState
	Since   time.Time // of the state
	Addr    addr.Addr // while connecting and connected
	Channel uint32    // the id of its channel, once its handshake is done; else 0
	Err     error     // why the last attempt failed; nil after a success
}

// outboundSlot fills one slot, again and again. It has a goroutine only until it
// is connected.
type outboundSlot struct {
	session *Outbound
	index   int
	due     time.Time // of the next dial
	began   time.Time // when the handshake was done; zero before

	place

	look sync.Mutex
	view Slot
}

// A slot dials so many addresses at once, and one in each interval in the long
// run. A proxy that does not work is given a longer pause.
const (
	dialBurst    = 3
	dialInterval = time.Second
	proxyPause   = 5 * time.Second
)

// fill picks an address and connects to it, until there is a connection or the
// slot ends.
func (s *outboundSlot) fill() {
	for s.pace() {
		a, ok := s.pick()
		if !ok {
			return
		}
		s.set(Slot{State: SlotConnecting, Addr: a, Err: s.now().Err})
		s.emit(dnet.Event{Name: dnet.SlotConnecting, Addr: a})
		conn, err := s.session.connector.dialLearnt(s.ctx, a)
		if err == nil {
			s.serve(a, conn)
			return
		}
		s.failed(a, err)
	}
}

// pace waits until the slot may dial again.
func (s *outboundSlot) pace() bool {
	now := time.Now()
	if earliest := now.Add(-(dialBurst - 1) * dialInterval); s.due.Before(earliest) {
		s.due = earliest
	}
	wait := s.due.Sub(now)
	s.due = s.due.Add(dialInterval)
	if wait <= 0 {
		return s.ctx.Err() == nil
	}
	s.set(Slot{State: SlotWaiting, Err: s.now().Err})
	return sleep(s.ctx, wait)
}

// pick waits for an address to dial; while there is none the search for peers
// goes on.
func (s *outboundSlot) pick() (addr.Addr, bool) {
	hungry := false
	defer func() {
		if hungry {
			s.session.search.satisfied()
		}
	}()
	for s.ctx.Err() == nil {
		_, changed := s.session.env.Hosts.News()
		a, retry, ok := s.session.env.Hosts.Select(s.session.size())
		if ok {
			return a, true
		}
		s.rest(retry)
		if !hungry {
			hungry = true
			s.session.search.hungry()
		}
		s.wait(changed, retry)
	}
	return addr.Addr{}, false
}

// rest shows that there is nothing to dial for now.
func (s *outboundSlot) rest(retry time.Duration) {
	was := s.now()
	switch {
	case retry > 0:
		s.set(Slot{State: SlotWaiting, Err: was.Err})
	case was.State != SlotSleeping:
		s.set(Slot{State: SlotSleeping, Err: was.Err})
		s.emit(dnet.Event{Name: dnet.SlotSleeping})
	}
}

// wait returns when something has changed, after retry unless that is 0, or when
// the slot ends.
func (s *outboundSlot) wait(changed <-chan struct{}, retry time.Duration) {
	var later <-chan time.Time
	if retry > 0 {
		timer := time.NewTimer(retry)
		defer timer.Stop()
		later = timer.C
	}
	select {
	case <-changed:
	case <-later:
	case <-s.ctx.Done():
	}
}

// serve runs the connection; at its end the slot begins again.
func (s *outboundSlot) serve(a addr.Addr, conn dialled) {
	s.began = time.Time{}
	s.session.env.serve(s.ctx, &s.session.tasks, link{
		conn:     conn.Conn,
		deadline: conn.deadline,
		kind:     channel.Outbound,
		known:    a,
		endpoint: conn.endpoint,
		begun: func(ch *channel.Channel) {
			s.hold(ch)
			s.emit(dnet.Event{Name: dnet.SlotConnected, Addr: a, Channel: ch.ID()})
		},
		opened: func() error {
			if err := s.session.env.Hosts.Connected(a); err != nil {
				return err
			}
			s.began = time.Now()
			s.set(Slot{State: SlotConnected, Addr: a, Channel: s.held().ID()})
			return nil
		},
		ended: func(err error) {
			s.hold(nil)
			if s.began.IsZero() {
				s.failed(a, err)
			} else {
				s.left(a, err)
			}
			s.session.tasks.Go(s.fill)
		},
	})
}

// failed goes on after a dial or a handshake that came to nothing.
func (s *outboundSlot) failed(a addr.Addr, err error) {
	dialFailed(s.ctx, s.session.env.Hosts, a, err)
	if s.ctx.Err() != nil {
		return
	}
	switch { // of a fault on our side: the next address would fare no better
	case errors.Is(err, transport.ErrProxy):
		s.due = time.Now().Add(proxyPause)
	case localFault(err):
		s.due = time.Now().Add(dialInterval)
	}
	s.session.env.Log.Info("Cannot connect", zap.String("peer", a.Redacted()), zap.Int("slot", s.index), zap.Error(err))
	s.emit(dnet.Event{Name: dnet.SlotDisconnected, Err: err.Error()})
	s.set(Slot{State: SlotWaiting, Err: err})
}

// left goes on after a connection.
func (s *outboundSlot) left(a addr.Addr, err error) {
	connectionEnded(s.ctx, s.session.env.Hosts, a, time.Since(s.began), err)
	s.session.env.logEnd(channel.Outbound, a, err)
	s.set(Slot{State: SlotWaiting, Err: err})
}

func (s *outboundSlot) emit(e dnet.Event) {
	e.Slot = s.index
	s.session.env.Events.Emit(e)
}

func (s *outboundSlot) set(view Slot) {
	s.look.Lock()
	defer s.look.Unlock()
	view.Number, view.Since = s.index, time.Now()
	if view.State == s.view.State && view.Addr == s.view.Addr {
		view.Since = s.view.Since
	}
	s.view = view
}

func (s *outboundSlot) now() Slot {
	s.look.Lock()
	defer s.look.Unlock()
	return s.view
}
