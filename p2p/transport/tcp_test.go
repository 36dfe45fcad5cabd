package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
	"dchat/p2p/transport/transporttest"
)

// loopbacks are the addresses of this machine that can be listened on.
func loopbacks(t testing.TB) []string {
	hosts := []string{"127.0.0.1"}
	if l, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		hosts = append(hosts, "[::1]")
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return hosts
}

func TestTCPTakesIPv6OnlyOnAnIPv6Address(t *testing.T) {
	if len(loopbacks(t)) == 1 {
		t.Log("this machine has no IPv6: nothing to tell apart")
		return
	}
	tcp := &transport.TCP{}
	for range 20 { // another program may have the port over IPv4
		port, _ := mustListen(t, tcp, "tcp://[::]:0").Addr().Port()
		four, err := tcp.Listen(t.Context(), addr.MustParse(fmt.Sprintf("tcp://0.0.0.0:%d", port)))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := four.Close(); err != nil {
			t.Error(err)
		}
		return
	}
	t.Error("no port that is listened on over IPv6 is free over IPv4")
}

func TestTCPRefusesIPv4WrittenAsIPv6(t *testing.T) {
	tcp := &transport.TCP{}
	a := addr.MustParse("tcp://[::ffff:127.0.0.1]:1")
	if _, err := tcp.Dial(t.Context(), a); !errors.Is(err, transport.ErrIPv4Mapped) {
		t.Errorf("Dial: %v, want %v", err, transport.ErrIPv4Mapped)
	}
	if _, err := tcp.Listen(t.Context(), a); !errors.Is(err, transport.ErrIPv4Mapped) {
		t.Errorf("Listen: %v, want %v", err, transport.ErrIPv4Mapped)
	}
}

func TestTCPErrorsAreShort(t *testing.T) {
	l := mustListen(t, &transport.TCP{}, "tcp://127.0.0.1:0")
	_, err := (&transport.TCP{}).Listen(t.Context(), l.Addr())
	if want := "cannot listen on " + l.Addr().String() + ": bind: address already in use"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestTCPDialsEveryAddressOfAName(t *testing.T) {
	l := mustListen(t, &transport.TCP{}, "tcp://127.0.0.1:0")
	a := named(l.Addr(), "node.test")
	dead := []string{"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"}
	for name, ips := range map[string][]string{
		"alone":                  {"127.0.0.1"},
		"one of several":         append(dead, "127.0.0.1"),
		"the other family first": {"::1", "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := (&transport.TCP{Resolver: transporttest.Resolver(t, ips...)}).Dial(t.Context(), a)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close() //nolint:errcheck // nothing was sent
			if c.Peer() != a {
				t.Errorf("the peer is %s, want the name as dialled", c.Peer())
			}
			if got, want := c.RemoteAddr().String(), l.Addr().HostPort(); got != want {
				t.Errorf("connected to %s, want %s", got, want)
			}
		})
	}
	_, err := (&transport.TCP{Resolver: transporttest.Resolver(t, dead...)}).Dial(t.Context(), a)
	if !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), "127.0.0.") {
		t.Errorf("all dead: %v, want ECONNREFUSED and an address that was tried", err)
	}
}

func TestTCPListensOnTheFirstAddressOfAName(t *testing.T) {
	tcp := &transport.TCP{Resolver: transporttest.Resolver(t, "127.0.0.1")}
	l, err := tcp.Listen(t.Context(), addr.MustParse("tcp://node.test:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nobody connects
	port, _ := l.Addr().Port()
	if want := addr.MustParse(fmt.Sprintf("tcp://node.test:%d", port)); l.Addr() != want {
		t.Errorf("listening on %s, want %s", l.Addr(), want)
	}
	c, err := tcp.Dial(t.Context(), l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestTCPNamesThatCannotBeLookedUp(t *testing.T) {
	tcp := &transport.TCP{Resolver: transporttest.Resolver(t)}
	a := addr.MustParse("tcp://nobody.test:1")
	var dns *net.DNSError
	if _, err := tcp.Dial(t.Context(), a); !errors.As(err, &dns) || !dns.IsNotFound {
		t.Errorf("Dial: %v, want a name that is not found", err)
	}
	if _, err := tcp.Listen(t.Context(), a); !errors.As(err, &dns) || !dns.IsNotFound {
		t.Errorf("Listen: %v, want a name that is not found", err)
	}
}

func TestTCPDeadlineCoversTheLookup(t *testing.T) {
	silent := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	tcp := &transport.TCP{Resolver: silent}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := tcp.Dial(ctx, addr.MustParse("tcp://node.test:1"))
	if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "cannot dial tcp://node.test:1/: timed out" {
		t.Errorf("Dial: %v, want a timeout", err)
	}
	if _, err := tcp.Listen(ctx, addr.MustParse("tcp://node.test:0")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Listen: %v, want a timeout", err)
	}
}

func TestTCPAsksBeforeItConnects(t *testing.T) {
	l := mustListen(t, &transport.TCP{}, "tcp://127.0.0.1:0")
	errOurs := errors.New("not this one")
	for _, c := range []struct {
		name   string
		ips    []string // empty: a literal is dialled
		refuse string
		want   error
	}{
		{"a literal", nil, "127.0.0.1", errOurs},
		{"what a name stands for", []string{"127.0.0.1"}, "127.0.0.1", errOurs},
		{"one of the addresses of a name", []string{"127.0.0.2", "127.0.0.1"}, "127.0.0.2", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var mu sync.Mutex
			var asked []netip.Addr
			a := l.Addr()
			tcp := &transport.TCP{}
			check := func(ip netip.Addr) error {
				mu.Lock()
				defer mu.Unlock()
				if asked = append(asked, ip); ip == netip.MustParseAddr(c.refuse) {
					return errOurs
				}
				return nil
			}
			if c.ips != nil {
				a, tcp.Resolver = named(a, "node.test"), transporttest.Resolver(t, c.ips...)
			}
			conn, err := tcp.DialChecked(t.Context(), a, check)
			if !errors.Is(err, c.want) {
				t.Errorf("Dial: %v, want %v", err, c.want)
			}
			if conn != nil {
				_ = conn.Close() // nothing was sent
			}
			if len(asked) == 0 {
				t.Error("nobody was asked")
			}
		})
	}
}

// mustListen listens until the test ends.
func mustListen(t testing.TB, tr transport.Transport, a string) transport.Listener {
	t.Helper()
	l, err := tr.Listen(t.Context(), addr.MustParse(a))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // the test may have closed it
	return l
}

// named is the address with a name in place of its host.
func named(a addr.Addr, name string) addr.Addr {
	return addr.MustParse(strings.Replace(a.String(), a.Host(), name, 1))
}
