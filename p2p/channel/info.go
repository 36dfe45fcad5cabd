package channel

import (
	"net"
	"net/netip"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/wire"
)

// ID returns the channel's random number, not 0, which tells it from every other
// channel of this run.
func (c *Channel) ID() uint32 { return c.id }

// Kind returns the kind of session the channel belongs to.
func (c *Channel) Kind() Kind { return c.cfg.Kind }

// Addr returns the address by which the peer is known.
func (c *Channel) Addr() addr.Addr { return c.cfg.Addr }

// Sockets returns the two ends of the connection as this machine sees them, which
// for a peer behind a proxy are those of the proxy. An end that is no IP socket is
// the zero value.
func (c *Channel) Sockets() (local, remote netip.AddrPort) {
	return socket(c.conn.LocalAddr()), socket(c.conn.RemoteAddr())
}

func socket(a net.Addr) netip.AddrPort {
	s, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(s.Addr().Unmap(), s.Port())
}

// Created returns when the connection was made.
func (c *Channel) Created() time.Time { return c.created }

// Opened reports whether the handshake was done, also after the channel's end.
func (c *Channel) Opened() bool { return c.open.Load() }

// Remote returns what the peer said of itself in the handshake; before the
// channel is open it is empty. Nothing in it is proved.
func (c *Channel) Remote() wire.Version {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.remote
}

// Stats are the counters of one channel since it was made.
type Stats struct {
	BytesIn, BytesOut       uint64
	MessagesIn, MessagesOut uint64
	// Dropped counts messages that found the queue of their handler full.
	Dropped uint64
	// Refused counts messages that were not queued because the peer did not read
	// fast enough, or had left.
	Refused uint64
	// Queued is how many bytes wait to be sent.
	Queued int
}

// Stats returns the counters as they are now.
func (c *Channel) Stats() Stats {
	return Stats{
		BytesIn:     c.count.bytesIn.Load(),
		BytesOut:    c.count.bytesOut.Load(),
		MessagesIn:  c.count.messagesIn.Load(),
		MessagesOut: c.count.messagesOut.Load(),
		Dropped:     c.count.dropped.Load(),
		Refused:     c.count.refused.Load(),
		Queued:      int(c.queue.bytes.Load()),
	}
}
