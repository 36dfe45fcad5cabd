package transport_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go/testutils/simnet"

	"dchat/p2p/transport"
)

// host is one that can be switched off, on which a QUIC transport listens.
type host struct {
	*transport.QUIC
	transport.Listener
	net  *udpNet
	ends []*udpEnd
}

// host starts one.
func (n *udpNet) host(t *testing.T, ip string, key func() ([32]byte, error)) *host {
	t.Helper()
	h := &host{QUIC: &transport.QUIC{ResetKey: key}, net: n}
	h.OpenWith(func(_ string, at netip.AddrPort) (transport.QUICPort, error) {
		end := n.end(ip, int(at.Port()))
		h.ends = append(h.ends, end)
		return end, nil
	})
	h.Listener = mustListen(t, h.QUIC, "quic://"+ip+":7000")
	return h
}

// off ends it without a word. Another may take its place.
func (h *host) off() {
	for _, e := range h.ends {
		e.dead.Store(true)
		h.net.mu.Lock()
		delete(h.net.ends, e.LocalAddr().String())
		h.net.mu.Unlock()
	}
}

// connect connects one host with another and passes a byte.
func connect(t *testing.T, from, to *host) (dialled, accepted transport.Conn) {
	t.Helper()
	dialled, err := from.Dial(t.Context(), to.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dialled.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if accepted, err = to.Accept(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(accepted, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return dialled, accepted
}

func sameKey() ([32]byte, error) { return [32]byte{7}, nil }

func noKey() (key [32]byte, err error) { return key, os.ErrNotExist }

func keyOf(first byte) func() ([32]byte, error) {
	return func() ([32]byte, error) { return [32]byte{first}, nil }
}

func TestAQUICPeerLearnsThatTheOtherWasRestarted(t *testing.T) {
	const keepAlive = 15 * time.Second
	text := []byte("a text that takes its place in a packet")
	for _, c := range []struct {
		name          string
		before, after func() ([32]byte, error)
		says          []byte        // at once; nil: nothing
		want          time.Duration // until it knows, at most; 0: not before it has waited for an answer in vain
	}{
		{"when it says something", sameKey, sameKey, text, 2 * udpLatency},
		{"when it says little", sameKey, sameKey, []byte{2}, 2 * udpLatency},
		{"when it keeps the connection alive", sameKey, sameKey, nil, keepAlive + 2*udpLatency},
		{"late, of one with another key", sameKey, keyOf(8), text, 0},
		{"late, of one without a key", nil, nil, text, 0},
		{"late, of one that cannot read its key", noKey, noKey, text, 0},
	} {
		for _, dials := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, having dialled: %v", c.name, dials), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := newUDPNet()
					a, b := n.host(t, "127.0.0.1", c.before), n.host(t, "127.9.9.9", nil) // the first dials from where it listens
					from, to := a, b
					if dials {
						from, to = b, a
					}
					dialled, accepted := connect(t, from, to)
					ours, dead := accepted, dialled
					if dials {
						ours, dead = dialled, accepted
					}
					<-time.After(time.Second) // all is quiet
					a.off()
					again := n.host(t, "127.0.0.1", c.after)
					start := time.Now()
					if c.says != nil {
						if _, err := ours.Write(c.says); err != nil {
							t.Fatal(err)
						}
					}
					_, err := ours.Read(make([]byte, 1))
					took := time.Since(start)
					switch {
					case c.want == 0 && (!errors.Is(err, syscall.ETIMEDOUT) || took < 25*time.Second):
						t.Errorf("Read: %v after %v, want ETIMEDOUT and not before 25 s", err, took)
					case c.want > 0 && (!errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed) || took > c.want):
						t.Errorf("Read: %v after %v, want ECONNRESET within %v", err, took, c.want)
					}
					second, accepted := connect(t, b, again)
					for _, end := range []io.Closer{ours, dead, second, accepted} {
						_ = end.Close() // whatever is left of it
					}
					for _, h := range []*host{a, b, again} {
						h.Settle(t.Context())
					}
				})
			})
		}
	}
}

func TestQUICAsksForItsResetKeyOnce(t *testing.T) {
	var asked atomic.Int32
	q := &transport.QUIC{ResetKey: func() ([32]byte, error) {
		asked.Add(1)
		return [32]byte{}, errors.New("there is none")
	}}
	if asked.Load() != 0 {
		t.Error("it asked before it opened a socket")
	}
	for range 3 {
		mustListen(t, q, "quic://127.0.0.1:0")
	}
	if got := asked.Load(); got != 1 {
		t.Errorf("it asked %d times", got)
	}
}

// What looks like a packet of a connection that is not there is answered by less than it is.
func TestStrayQUICPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newUDPNet()
		h := n.host(t, "127.6.6.6", sameKey)
		var answers []simnet.Packet
		n.dropping(func(p simnet.Packet) bool {
			if p.From.String() == h.Addr().HostPort() {
				answers = append(answers, p)
			}
			return false
		})
		end := n.end("127.9.9.9", 0)
		defer end.Close() //nolint:errcheck // nobody reads
		send := func(p []byte) []simnet.Packet {
			answers = nil
			if _, err := end.WriteTo(p, h.ends[0].LocalAddr()); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Second)
			n.mu.Lock()
			defer n.mu.Unlock()
			return answers
		}
		stray := noise(t, 1200)
		stray[0] = 0x40
		var token []byte
		for size := 1; size <= len(stray); size++ {
			answers := send(stray[:size])
			if size < 22 {
				if len(answers) != 0 {
					t.Fatalf("%d bytes were answered", size)
				}
				continue
			}
			if len(answers) != 1 {
				t.Fatalf("%d bytes were answered %d times", size, len(answers))
			}
			got := answers[0].Data
			if len(got) >= size || len(got) < 21 || got[0]&0xc0 != 0x40 {
				t.Fatalf("%d bytes were answered with %x", size, got)
			}
			if token == nil {
				token = got[len(got)-16:]
			}
			if !bytes.Equal(token, got[len(got)-16:]) {
				t.Fatalf("%d bytes of the same connection were answered with another token", size)
			}
		}
		stray[0] = 0x10 // no QUIC
		if answers := send(stray[:30]); len(answers) != 0 {
			t.Error("something else was answered")
		}
	})
}

func TestAFloodOfStrayQUICPacketsIsHardlyAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newUDPNet()
		h := n.host(t, "127.6.6.6", sameKey)
		answers := 0
		n.dropping(func(p simnet.Packet) bool {
			if p.From.String() == h.Addr().HostPort() {
				answers++
			}
			return false
		})
		end := n.end("127.9.9.9", 0)
		defer end.Close() //nolint:errcheck // nobody reads
		for range 5000 {
			stray := noise(t, 30)
			stray[0] = 0x40
			if _, err := end.WriteTo(stray, h.ends[0].LocalAddr()); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Millisecond)
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		if answers < 400 || answers > 600 {
			t.Errorf("%d of 5000 in 5 s were answered, want 100 each second", answers)
		}
	})
}

// The tokens of one socket are not those of another.
func TestQUICSocketsHaveKeysOfTheirOwn(t *testing.T) {
	q := &transport.QUIC{ResetKey: sameKey}
	stray := append([]byte{0x40}, make([]byte, 40)...)
	tokens := make(map[string]bool)
	for range 3 {
		l := mustListen(t, q, "quic://127.0.0.1:0")
		c, err := (&net.Dialer{}).DialContext(t.Context(), "udp4", l.Addr().HostPort())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close() //nolint:errcheck // nothing is lost
		if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := c.Write(stray); err != nil {
				t.Fatal(err)
			}
			reset := make([]byte, 100)
			size, err := c.Read(reset)
			if err != nil || size != 21 {
				t.Fatalf("got %d bytes and %v, want 21", size, err)
			}
			tokens[string(reset[5:21])] = true
		}
	}
	if len(tokens) != 3 {
		t.Errorf("3 sockets have %d tokens", len(tokens))
	}
}
