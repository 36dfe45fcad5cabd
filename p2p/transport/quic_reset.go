package transport

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"net"
	"net/netip"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/net/ipv4"
)

// A peer that has missed the end of a connection goes on sending. A socket at the same
// address tells it by a stateless reset, whose token only who has the key can make: long
// packets are quic-go's to answer, which takes none of less than 43 bytes, and the short ones,
// such as those that keep a connection alive, are answered here.

const (
	// quicIDLen is how long our connection IDs are, and quicEpochLen how much of it they
	// have in common.
	quicIDLen    = 8
	quicEpochLen = 4

	// A reset is as short as it can be and shorter than what it answers, so that nobody
	// answers it, and no more than quicResets are sent in a second.
	quicResetLen = 5 + quicTokenLen
	quicTokenLen = 16
	quicResets   = 100
	quicLong     = 43
)

// resetKey is the key of the socket at an address, under q.mu. Sockets have different keys, or
// one could be asked for the tokens of another's connections.
func (q *QUIC) resetKey(local netip.AddrPort) *quic.StatelessResetKey {
	if q.key == nil {
		var key [32]byte
		_, _ = rand.Read(key[:]) // it never fails
		if q.ResetKey != nil {
			if kept, err := q.ResetKey(); err == nil {
				key = kept
			}
		}
		q.key = key[:]
	}
	mac := hmac.New(sha256.New, q.key)
	mac.Write([]byte(local.String()))
	return (*quic.StatelessResetKey)(mac.Sum(nil))
}

// quicIDs makes the connection IDs of a socket. They begin with its epoch, which tells them
// from those of the sockets that were at its address before.
type quicIDs [quicEpochLen]byte

func newQUICIDs() (ids quicIDs) {
	_, _ = rand.Read(ids[:]) // it never fails
	return ids
}

// GenerateConnectionID implements quic.ConnectionIDGenerator.
func (ids quicIDs) GenerateConnectionID() (quic.ConnectionID, error) {
	var id [quicIDLen]byte
	_, _ = rand.Read(id[copy(id[:], ids[:]):]) // it never fails
	return quic.ConnectionIDFromBytes(id[:]), nil
}

// ConnectionIDLen implements quic.ConnectionIDGenerator.
func (quicIDs) ConnectionIDLen() int { return quicIDLen }

// quicStrays answers short packets of connections that were there before the socket. It is
// used by whoever reads from the socket, which is one goroutine.
type quicStrays struct {
	ids   quicIDs
	key   *quic.StatelessResetKey
	since time.Time // a second begins
	count int       // of answers in it
}

// look answers a packet if it is such a one.
func (s *quicStrays) look(packet []byte, from net.Addr, conn net.PacketConn) {
	if len(packet) <= quicResetLen || len(packet) >= quicLong || packet[0]&0xc0 != 0x40 {
		return
	}
	id := packet[1 : 1+quicIDLen]
	if bytes.HasPrefix(id, s.ids[:]) {
		return
	}
	if now := time.Now(); now.Sub(s.since) >= time.Second {
		s.since, s.count = now, 0
	}
	if s.count++; s.count > quicResets {
		return
	}
	mac := hmac.New(sha256.New, s.key[:])
	mac.Write(id)
	reset := make([]byte, quicResetLen-quicTokenLen, quicResetLen+sha256.Size)
	_, _ = rand.Read(reset) // it never fails
	reset[0] = reset[0]&0x3f | 0x40
	_, _ = conn.WriteTo(mac.Sum(reset)[:quicResetLen], from) // the next packet is another chance
}

// quicPort is what a socket reads from and writes to.
type quicPort interface {
	net.PacketConn
	SetReadBuffer(int) error
	SetWriteBuffer(int) error
}

// quicWatched is a port that answers strays.
type quicWatched struct {
	quicPort
	strays *quicStrays
}

// ReadFrom implements net.PacketConn.
func (w *quicWatched) ReadFrom(p []byte) (int, net.Addr, error) {
	n, from, err := w.quicPort.ReadFrom(p)
	if err == nil {
		w.strays.look(p[:n], from, w.quicPort)
	}
	return n, from, err
}

// quicWatchedUDP is one of the system's, of which quic-go reads many packets at once where it
// can.
type quicWatchedUDP struct {
	*net.UDPConn
	batch  *ipv4.PacketConn // it reads IPv6 too
	strays *quicStrays
}

// ReadFrom implements net.PacketConn.
func (w *quicWatchedUDP) ReadFrom(p []byte) (int, net.Addr, error) {
	return (&quicWatched{w.UDPConn, w.strays}).ReadFrom(p)
}

// ReadBatch reads what quic-go does when there is no such method.
func (w *quicWatchedUDP) ReadBatch(messages []ipv4.Message, flags int) (int, error) {
	n, err := w.batch.ReadBatch(messages, flags)
	if err == nil {
		for _, m := range messages[:n] {
			w.strays.look(m.Buffers[0][:m.N], m.Addr, w.UDPConn)
		}
	}
	return n, err
}

func (s *quicStrays) watch(port quicPort) net.PacketConn {
	if udp, ok := port.(*net.UDPConn); ok {
		return &quicWatchedUDP{udp, ipv4.NewPacketConn(udp), s}
	}
	return &quicWatched{port, s}
}
