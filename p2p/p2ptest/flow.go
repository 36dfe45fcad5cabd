package p2ptest

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// window is how many bytes one direction of a connection holds, under way and
// unread, before writing blocks.
const window = 64 << 10

// flow is one direction of a connection: what one end wrote arrives at the other
// a while later, in order. The network's lock guards it; all that waits, waits on
// one condition. An idle flow holds no buffer, timer or goroutine.
type flow struct {
	net      *Network
	from, to *process
	id       uint64
	arrival  event // of the first parcel
	changed  sync.Cond

	parcels []parcel // under way, the first to arrive first
	held    bool     // the first has got stuck: nothing passes between the ends
	unread  [][]byte // what has arrived
	size    int      // bytes under way and unread
	target  *conn    // the end that reads

	writing    bool // a Write is under way, which others do not break into
	ended      bool // by CloseWrite
	closed     bool // by the end that writes
	writeError error
	writeLimit deadline

	ignored   bool // the end that reads is closed
	readError error
	readLimit deadline
}

// parcel is what travels.
type parcel struct {
	at   time.Duration
	kind parcelKind
	data []byte
}

type parcelKind int

const (
	parcelData  parcelKind = iota
	parcelOpen             // the dialling end is connected
	parcelEnd              // nothing more will be written
	parcelClose            // nor read
	parcelReset
)

func newFlow(n *Network, from, to *process, id uint64) *flow {
	f := &flow{net: n, from: from, to: to, id: id}
	f.changed.L = &n.mu
	f.arrival = event{happen: f.arrive, order: id}
	return f
}

func (f *flow) send(kind parcelKind, data []byte) {
	at := f.net.arrival(f.id)
	if waiting := len(f.parcels); waiting > 0 {
		at = max(at, f.parcels[waiting-1].at)
	}
	f.parcels = append(f.parcels, parcel{at, kind, data})
	if !f.held && f.arrival.place == 0 {
		f.net.schedule.add(&f.arrival, at)
	}
}

// arrive delivers what is due.
func (f *flow) arrive() {
	if f.net.severed(f.from, f.to) {
		f.held = true
		f.net.held[f] = struct{}{}
		return
	}
	now := f.net.schedule.now()
	for len(f.parcels) > 0 && f.parcels[0].at <= now {
		p := f.parcels[0]
		f.parcels[0] = parcel{}
		if f.parcels = f.parcels[1:]; len(f.parcels) == 0 {
			f.parcels = nil
		}
		f.deliver(p)
	}
	if len(f.parcels) > 0 {
		f.net.schedule.add(&f.arrival, f.parcels[0].at)
	}
	f.changed.Broadcast()
}

func (f *flow) deliver(p parcel) {
	switch p.kind {
	case parcelOpen:
		f.target.listener.offer(f.target)
	case parcelData:
		if f.ignored || f.readError != nil {
			f.size -= len(p.data)
			return
		}
		f.unread = append(f.unread, p.data)
	case parcelEnd:
		f.readError = io.EOF
	case parcelClose:
		f.readError = io.EOF
		f.target.out.breaks(os.NewSyscallError("write", syscall.EPIPE))
	case parcelReset:
		f.readError = syscall.ECONNRESET
		f.target.out.breaks(syscall.ECONNRESET)
	}
}

// resume lets what got stuck arrive after a while.
func (f *flow) resume() {
	f.held = false
	delete(f.net.held, f)
	f.net.schedule.add(&f.arrival, f.net.arrival(f.id))
}

// breaks makes writing fail.
func (f *flow) breaks(err error) {
	f.writeError = err
	f.changed.Broadcast()
}

// cut ends the flow at once, with what is under way.
func (f *flow) cut(err error) {
	f.net.schedule.remove(&f.arrival)
	delete(f.net.held, f)
	f.held, f.parcels, f.unread = false, nil, nil
	f.readError = err
	f.breaks(err)
}

func (f *flow) read(b []byte) (int, error) {
	f.net.mu.Lock()
	defer f.net.mu.Unlock()
	for {
		switch {
		case f.ignored:
			return 0, net.ErrClosed
		case f.readLimit.expired():
			return 0, os.ErrDeadlineExceeded
		case len(b) == 0:
			return 0, nil
		case len(f.unread) > 0:
			return f.take(b), nil
		case f.readError != nil:
			return 0, f.readError
		}
		f.readLimit.arm(f)
		f.changed.Wait()
	}
}

func (f *flow) take(b []byte) (n int) {
	for n < len(b) && len(f.unread) > 0 {
		taken := copy(b[n:], f.unread[0])
		n += taken
		if f.unread[0] = f.unread[0][taken:]; len(f.unread[0]) == 0 {
			f.unread[0] = nil
			f.unread = f.unread[1:]
		}
	}
	if len(f.unread) == 0 {
		f.unread = nil
	}
	f.size -= n
	f.changed.Broadcast()
	return n
}

func (f *flow) write(b []byte) (n int, err error) {
	f.net.mu.Lock()
	defer f.net.mu.Unlock()
	for f.writing && f.writable() == nil {
		f.wait()
	}
	if err := f.writable(); err != nil {
		return 0, err
	}
	f.writing = true
	defer func() {
		f.writing = false
		f.changed.Broadcast()
	}()
	for n < len(b) {
		if err := f.writable(); err != nil {
			return n, err
		}
		room := min(window-f.size, len(b)-n)
		if room <= 0 {
			f.wait()
			continue
		}
		f.send(parcelData, append([]byte(nil), b[n:n+room]...))
		f.size += room
		n += room
	}
	return n, nil
}

// wait is for the end that writes.
func (f *flow) wait() {
	f.writeLimit.arm(f)
	f.changed.Wait()
}

// writable says why nothing can be written, or nil.
func (f *flow) writable() error {
	switch {
	case f.closed:
		return net.ErrClosed
	case f.writeError != nil:
		return f.writeError
	case f.ended:
		return os.NewSyscallError("write", syscall.EPIPE)
	case f.writeLimit.expired():
		return os.ErrDeadlineExceeded
	}
	return nil
}

// deadline is a deadline of one end of a flow. It has a timer only once somebody
// waits.
type deadline struct {
	at    time.Time
	timer *time.Timer
	armed time.Time // what the timer is set to
}

func (d *deadline) expired() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

// arm wakes those who wait when the deadline has come.
func (d *deadline) arm(f *flow) {
	if d.at.IsZero() || d.armed.Equal(d.at) {
		return
	}
	d.stop()
	d.armed = d.at
	d.timer = time.AfterFunc(time.Until(d.at), func() {
		f.net.mu.Lock()
		defer f.net.mu.Unlock()
		f.changed.Broadcast()
	})
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
