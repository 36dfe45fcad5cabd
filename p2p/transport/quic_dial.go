package transport

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/quic-go/quic-go"

	"dchat/p2p/addr"
)

const (
	// A dial that nobody waits for any more has quicHandshake left to come to its end,
	// which the peer then hears of: one that takes its connections one after the other
	// would wait for us, until it gives up. Beyond quicAbandoned of them the next just stop.
	quicAbandoned = 64

	// quicDialled is longer than any context lets a dial go on.
	quicDialled = time.Hour
)

func (q *QUIC) dial(ctx context.Context, peer addr.Addr, to netip.AddrPort) (*quicConn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	source, err := sourceFor(ctx, to)
	if err != nil {
		return nil, unreachable(ctx, err, to)
	}
	s, err := q.socketTo(to.Addr(), source)
	if err != nil {
		return nil, err
	}
	d := s.dial(ctx, to)
	select {
	case <-d.done:
	case <-ctx.Done():
		d.abandon()
		return nil, ctx.Err()
	}
	if err = d.err; err == nil {
		var stream *quic.Stream
		if stream, err = d.conn.OpenStreamSync(ctx); err == nil {
			return newQUICDialled(s, d.conn, stream, peer, source), nil
		}
		_ = d.conn.CloseWithError(quicDone, "") // there is an error to report already
	}
	s.release()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, unreachable(ctx, quicCause(err), to)
}

// quicDial is a handshake under way.
type quicDial struct {
	socket *quicSocket
	cancel context.CancelFunc // ends it at once, and tells the peer nothing

	done chan struct{} // closed when these are set
	conn *quic.Conn
	err  error

	gone chan struct{} // closed when it was abandoned and has let go of the socket
}

// dial begins a handshake, which ends when it is done or cancelled.
func (s *quicSocket) dial(ctx context.Context, to netip.AddrPort) *quicDial {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	d := &quicDial{socket: s, cancel: cancel, done: make(chan struct{}), gone: make(chan struct{})}
	go func() {
		defer cancel()
		defer close(d.done)
		d.conn, d.err = s.transport.Dial(ctx, net.UDPAddrFromAddrPort(to), s.tls, quicConfig(-1, quicDialled))
	}()
	return d
}

// abandon leaves the dial to itself, and the socket with it. Settle ends it.
func (d *quicDial) abandon() {
	q := d.socket.quic
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.abandoned) >= quicAbandoned {
		d.cancel()
	}
	if q.abandoned == nil {
		q.abandoned = make(map[*quicDial]struct{})
	}
	q.abandoned[d] = struct{}{}
	go d.seeOff(time.AfterFunc(quicHandshake, d.cancel))
}

// seeOff closes what nobody waits for as soon as it is connected.
func (d *quicDial) seeOff(limit *time.Timer) {
	<-d.done
	limit.Stop()
	if d.err == nil {
		_ = d.conn.CloseWithError(quicDone, "") // nothing was sent
	}
	q := d.socket.quic
	q.mu.Lock()
	defer q.mu.Unlock()
	d.socket.leave()
	delete(q.abandoned, d)
	close(d.gone)
}
