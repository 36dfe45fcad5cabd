package transport_test

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
	"dchat/p2p/transport/transporttest"
)

func memSubjects() map[string]func(*testing.T) transporttest.Subject {
	subject := func(mem *transport.Mem, from transport.Transport, a string) transporttest.Subject {
		return transporttest.Subject{
			Transport: from,
			Listen:    addr.MustParse(a),
			Stalled:   func(t *testing.T) addr.Addr { return stalledMem(t, mem) },
		}
	}
	return map[string]func(*testing.T) transporttest.Subject{
		"IPv4": func(*testing.T) transporttest.Subject {
			mem := transport.NewMem()
			return subject(mem, mem, "tcp://127.0.0.1:0")
		},
		"IPv6, odd little buffers": func(*testing.T) transporttest.Subject {
			mem := transport.NewMem()
			mem.Buffer, mem.Backlog = 777, 1
			return subject(mem, mem, "quic://[::1]:0")
		},
		"a simulated host": func(*testing.T) transporttest.Subject {
			mem := transport.NewMem()
			return subject(mem, mem.From(netip.MustParseAddr("10.0.0.1")), "tcp://10.0.0.1:0")
		},
		"a host by name": func(*testing.T) transporttest.Subject {
			mem := transport.NewMem()
			return subject(mem, mem, "tcp://node:0")
		},
	}
}

// stalledMem returns an address whose backlog is full.
func stalledMem(t *testing.T, mem *transport.Mem) addr.Addr {
	mem.Backlog = 1
	l := mustListen(t, mem, "tcp://127.0.0.1:0")
	if _, err := mem.Dial(t.Context(), l.Addr()); err != nil {
		t.Fatal(err)
	}
	return l.Addr()
}

func TestMem(t *testing.T) {
	for name, subject := range memSubjects() {
		t.Run(name, func(t *testing.T) { transporttest.Run(t, subject) })
	}
}

func TestMemInVirtualTime(t *testing.T) {
	for name, subject := range memSubjects() {
		t.Run(name, func(t *testing.T) { transporttest.RunVirtual(t, subject) })
	}
}

func TestMemHosts(t *testing.T) {
	mem := transport.NewMem()
	alice, bob := mem.From(netip.MustParseAddr("10.0.0.1")), mem.From(netip.MustParseAddr("10.0.0.2"))
	six := mem.From(netip.MustParseAddr("2001:db8::1"))
	for _, c := range []struct {
		name         string
		listen, dial transport.Transport
		at, to       string
		peer         string // without its port; empty: refused
	}{
		{"an address is reached from everywhere", alice, bob, "tcp://10.0.0.1:1", "tcp://10.0.0.1:1", "tcp://10.0.0.2"},
		{"0.0.0.0 is the host's own", alice, bob, "tcp://0.0.0.0:1", "tcp://10.0.0.1:1", "tcp://10.0.0.2"},
		{"0.0.0.0 is not another's", alice, bob, "tcp://0.0.0.0:1", "tcp://10.0.0.2:1", ""},
		{"0.0.0.0 without a host is loopback", mem, bob, "tcp://0.0.0.0:1", "tcp://127.0.0.1:1", "tcp://10.0.0.2"},
		{"[::] is the host's own", six, bob, "tcp://[::]:1", "tcp://[2001:db8::1]:1", "tcp://10.0.0.2"},
		{"[::] is not IPv4 loopback", mem, mem, "tcp://[::]:1", "tcp://127.0.0.1:1", ""},
		{"dialling without a host comes from loopback", alice, mem, "tcp://10.0.0.1:1", "tcp://10.0.0.1:1", "tcp://127.0.0.1"},
		{"and of the same family", six, mem, "tcp://[::]:1", "tcp://[2001:db8::1]:1", "tcp://[::1]"},
		{"a name is a host", mem, bob, "tcp://node:1", "tcp://node:1", "tcp://10.0.0.2"},
		{"the peer has the listener's scheme", alice, bob, "tcp+tls://10.0.0.1:1", "tcp://10.0.0.1:1", "tcp+tls://10.0.0.2"},
		{"another port is another address", alice, bob, "tcp://10.0.0.1:1", "tcp://10.0.0.1:2", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := mustListen(t, c.listen, c.at)
			dialled, err := c.dial.Dial(t.Context(), addr.MustParse(c.to))
			if c.peer == "" {
				if !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("Dial: %v, want ECONNREFUSED", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer dialled.Close() //nolint:errcheck // nothing was sent
			accepted, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer accepted.Close() //nolint:errcheck // nothing was sent
			if got, _ := accepted.Peer().WithoutPort(); got != addr.MustParse(c.peer) {
				t.Errorf("the peer is %s, want %s", got, c.peer)
			}
		})
	}
	if _, err := alice.Listen(t.Context(), addr.MustParse("tcp://[::]:1")); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("[::] on a host with IPv4 only: %v, want EADDRNOTAVAIL", err)
	}
}

func TestMemNetworksAreApart(t *testing.T) {
	l := mustListen(t, transport.NewMem(), "tcp://127.0.0.1:1")
	if _, err := transport.NewMem().Dial(t.Context(), l.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Dial: %v, want ECONNREFUSED", err)
	}
}

func TestMemDiallersAreTold(t *testing.T) {
	mem := transport.NewMem()
	l := mustListen(t, mem, "tcp://127.0.0.1:0")
	seen := map[addr.Addr]bool{}
	for range 100 {
		if c, err := mem.Dial(t.Context(), l.Addr()); err != nil {
			t.Fatal(err)
		} else if err := c.Close(); err != nil {
			t.Error(err)
		}
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		seen[c.Peer()] = true
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(seen) != 100 {
		t.Errorf("100 connections come from %d addresses", len(seen))
	}
}

func TestMemPortsRunOut(t *testing.T) {
	mem := transport.NewMem()
	for range 32768 {
		mustListen(t, mem, "tcp://127.0.0.1:0")
	}
	if _, err := mem.Listen(t.Context(), addr.MustParse("tcp://127.0.0.1:0")); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Listen: %v, want EADDRINUSE", err)
	}
}

func TestMemBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMem()
		mem.Backlog = 2
		l := mustListen(t, mem, "tcp://127.0.0.1:0")
		var waiting []transport.Conn
		for range 2 {
			c, err := mem.Dial(t.Context(), l.Addr())
			if err != nil {
				t.Fatal(err)
			}
			waiting = append(waiting, c)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := mem.Dial(ctx, l.Addr()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Dial with a full backlog: %v, want %v", err, context.DeadlineExceeded)
		}
		refused := make(chan error)
		go func() {
			_, err := mem.Dial(t.Context(), l.Addr())
			refused <- err
		}()
		synctest.Wait()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-refused; !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Dial while the listener closes: %v, want ECONNREFUSED", err)
		}
		for i, c := range waiting {
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("connection %d, not accepted: %v, want io.EOF", i, err)
			}
		}
	})
}

func TestMemLeavesNoConnectionBehindAClosedListener(t *testing.T) {
	mem := transport.NewMem()
	for range 5000 {
		l := mustListen(t, mem, "tcp://127.0.0.1:1")
		closing := make(chan error)
		go func() { closing <- l.Close() }()
		c, err := mem.Dial(t.Context(), l.Addr())
		if err := <-closing; err != nil {
			t.Fatal(err)
		}
		if err != nil {
			continue // refused
		}
		if err := c.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Fatalf("a connection that nobody accepts: %v, want io.EOF", err)
		}
		_ = c.Close() // the other end is
	}
}

func TestMemDeadlineIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMem()
		l := mustListen(t, mem, "tcp://127.0.0.1:0")
		c, err := mem.Dial(t.Context(), l.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close() //nolint:errcheck // nothing was sent
		start := time.Now()
		for _, d := range []time.Duration{time.Hour, time.Minute, 15 * time.Second} { // the last one counts
			if err := c.SetReadDeadline(start.Add(d)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.Read(make([]byte, 1)); err == nil || time.Since(start) != 15*time.Second {
			t.Errorf("Read: %v after %s, want the deadline after 15s", err, time.Since(start))
		}
	})
}
