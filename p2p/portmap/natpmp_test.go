package portmap

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

// pmpServer is a router that speaks NAT-PMP on loopback.
type pmpServer struct {
	ip   netip.Addr
	conn net.PacketConn

	served sync.WaitGroup
	mu     sync.Mutex
	has    map[[2]uint16]uint16 // external ports by protocol and internal port
	count  uint32
	answer func(question []byte) [][]byte // instead of the right one; nil: none
	heard  [][]byte
}

// newPMPServer starts a server, which ends with the test. The port of the protocol is
// always the same, so it gets an address of this machine that no other has.
func newPMPServer(t *testing.T) *pmpServer {
	t.Helper()
	var err error
	for i := range byte(100) {
		var s *pmpServer
		s, err = startPMP(netip.AddrFrom4([4]byte{127, byte(os.Getpid() >> 8), byte(os.Getpid()), 10 + i}))
		if err == nil {
			t.Cleanup(s.close)
			return s
		}
	}
	t.Skip("this system has one loopback address only: ", err)
	return nil
}

func startPMP(ip netip.Addr) (*pmpServer, error) {
	conn, err := net.ListenPacket("udp4", netip.AddrPortFrom(ip, 5351).String())
	if err != nil {
		return nil, err
	}
	s := &pmpServer{ip: ip, conn: conn, has: map[[2]uint16]uint16{}, count: 1000}
	s.served.Go(s.serve)
	return s, nil
}

func (s *pmpServer) close() {
	_ = s.conn.Close()
	s.served.Wait()
}

func (s *pmpServer) serve() {
	buf := make([]byte, 100)
	for {
		n, from, err := s.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		for _, answer := range s.answers(slices.Clone(buf[:n])) {
			_, _ = s.conn.WriteTo(answer, from)
		}
	}
}

func (s *pmpServer) answers(question []byte) [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, question)
	if s.answer != nil {
		return s.answer(question)
	}
	return [][]byte{s.right(question)}
}

// right is the answer of a router that keeps to the rules.
func (s *pmpServer) right(question []byte) []byte {
	answer := binary.BigEndian.AppendUint32([]byte{0, question[1] | 0x80, 0, 0}, s.count)
	if question[1] == 0 {
		return append(answer, 51, 1, 2, 3)
	}
	internal, external := binary.BigEndian.Uint16(question[4:]), binary.BigEndian.Uint16(question[6:])
	lifetime := binary.BigEndian.Uint32(question[8:])
	key := [2]uint16{uint16(question[1]), internal}
	if lifetime == 0 {
		delete(s.has, key)
		external = 0
	} else {
		if external == 5000 { // somebody else's
			external = 5001
		}
		s.has[key] = external
	}
	answer = binary.BigEndian.AppendUint16(answer, internal)
	answer = binary.BigEndian.AppendUint16(answer, external)
	return binary.BigEndian.AppendUint32(answer, lifetime)
}

// client finds the router.
func (s *pmpServer) client(t *testing.T) *pmp {
	t.Helper()
	p, err := findPMP(bound(t, 10*time.Second), s.ip, netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// bound is a context of the real world.
func bound(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func (s *pmpServer) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func TestNATPMPMapsLooksAndUnmaps(t *testing.T) {
	s := newPMPServer(t)
	p := s.client(t)
	if p.Local() != netip.MustParseAddr("127.0.0.1") || p.String() != "NAT-PMP "+s.ip.String() {
		t.Errorf("%v from %v", p, p.Local())
	}
	for _, c := range []struct {
		port     Port
		wish     uint16
		external uint16
		key      [2]uint16
	}{
		{Port{TCP, 5000}, 5000, 5001, [2]uint16{2, 5000}},
		{Port{UDP, 6000}, 6000, 6000, [2]uint16{1, 6000}},
		{Port{UDP, 7000}, 7007, 7007, [2]uint16{1, 7000}},
	} {
		m, err := p.Map(bound(t, 10*time.Second), c.port, c.wish, time.Hour)
		if want := (Mapping{c.port, c.external, time.Hour}); err != nil || m != want {
			t.Errorf("mapped %+v, %v; want %+v", m, err, want)
		}
		s.set(func() {
			if s.has[c.key] != c.external {
				t.Errorf("the router maps %v", s.has)
			}
		})
		if ip, err := p.Look(bound(t, 10*time.Second), []Mapping{m}); err != nil || ip != netip.MustParseAddr("51.1.2.3") {
			t.Errorf("it is at %v, %v", ip, err)
		}
		if err := p.Unmap(bound(t, 10*time.Second), m); err != nil {
			t.Error(err)
		}
		s.set(func() {
			if len(s.has) != 0 {
				t.Errorf("the router still maps %v", s.has)
			}
		})
	}
}

func TestNATPMPCountsTell(t *testing.T) {
	for _, c := range []struct {
		name      string
		count     uint32
		ago       time.Duration
		now       uint32
		forgotten bool
	}{
		{"at once", 1000, 0, 1000, false},
		{"as it should", 1000, 300 * time.Second, 1300, false},
		{"a slow clock", 1000, 300 * time.Second, 1262, false},
		{"a clock that is too slow", 1000, 300 * time.Second, 1259, true},
		{"a fast clock", 1000, 300 * time.Second, 1 << 31, false},
		{"restarted", 1000, 300 * time.Second, 10, true},
		{"restarted long before", 10, 300 * time.Second, 200, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newPMPServer(t)
			p := s.client(t)
			p.count, p.counted = c.count, time.Now().Add(-c.ago)
			s.set(func() { s.count = c.now })
			_, err := p.Look(bound(t, 10*time.Second), nil)
			if errors.Is(err, ErrForgotten) != c.forgotten {
				t.Errorf("got %v, want forgotten %v", err, c.forgotten)
			}
			if _, err := p.Look(bound(t, 10*time.Second), nil); err != nil {
				t.Errorf("it was told twice: %v", err)
			}
		})
	}
}

func TestNATPMPAnswersThatMakeNoSense(t *testing.T) {
	s := newPMPServer(t)
	p := s.client(t)
	change := func(offset int, value ...byte) func([]byte) [][]byte {
		return func(question []byte) [][]byte {
			answer := s.right(question)
			copy(answer[offset:], value)
			return [][]byte{answer}
		}
	}
	for name, answer := range map[string]func([]byte) [][]byte{
		"another version":  change(0, 2),
		"another question": change(1, 0x80),
		"not authorised":   change(2, 0, 2),
		"another port":     change(8, 0, 9),
		"no external port": change(10, 0, 0),
		"no lease":         change(12, 0, 0, 0, 0),
		"nothing":          func([]byte) [][]byte { return [][]byte{{}} },
		"too short":        func(q []byte) [][]byte { return [][]byte{s.right(q)[:15]} },
	} {
		s.set(func() { s.answer = answer })
		if m, err := p.Map(bound(t, 10*time.Second), Port{TCP, 5000}, 5000, time.Hour); err == nil {
			t.Errorf("%s: mapped %+v", name, m)
		}
	}
}

// TestASilentNATPMPGatewayIsGivenAsLongAsTheContextLasts, and half a second more when
// that is cancelled.
func TestASilentNATPMPGatewayIsGivenAsLongAsTheContextLasts(t *testing.T) {
	t.Parallel()
	s := newPMPServer(t)
	p := s.client(t)
	s.set(func() { s.answer, s.heard = func([]byte) [][]byte { return nil }, nil })
	began := time.Now()
	_, err := p.Look(bound(t, 700*time.Millisecond), nil)
	if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took < 690*time.Millisecond || took > 10*time.Second {
		t.Errorf("%v after %v", err, took)
	}
	s.set(func() {
		if len(s.heard) < 2 {
			t.Errorf("it was asked %d times", len(s.heard))
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Look(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestNobodySpeaksNATPMP(t *testing.T) {
	nobody := netip.MustParseAddr(fmt.Sprintf("127.%d.%d.9", byte(os.Getpid()>>8), byte(os.Getpid())))
	if _, err := findPMP(bound(t, time.Second), nobody, netip.MustParseAddr("127.0.0.1")); err == nil {
		t.Error("a gateway was found")
	}
}
