package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
	"dchat/p2p/transport/transporttest"
)

// inBubble runs a test in virtual time. Package net keeps what it knows of the
// system's configuration from one lookup to the next, which must not belong to a
// bubble: the first lookup comes before.
func inBubble(t *testing.T, test func(*testing.T)) {
	_, _ = transporttest.Resolver(t).LookupNetIP(t.Context(), "ip", "nobody.test")
	synctest.Test(t, test)
}

// slowDNS is a name server that answers nothing and counts who waits for it.
type slowDNS struct{ asked, waiting atomic.Int32 }

func (s *slowDNS) resolver(after time.Duration) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		s.asked.Add(1)
		s.waiting.Add(1)
		defer s.waiting.Add(-1)
		select {
		case <-time.After(after):
			return nil, errors.New("the name server is down")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
}

func TestA7ALookupTakesFiveSecondsAtMostAndFourRunAtATime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dns := &slowDNS{}
		tcp := &transport.TCP{Resolver: dns.resolver(10 * time.Second)}
		start := time.Now()
		var dials sync.WaitGroup
		for i := range 12 {
			dials.Go(func() {
				_, err := tcp.Dial(t.Context(), addr.MustParse(fmt.Sprintf("tcp://name%d.test:1", i)))
				if failed := (*net.DNSError)(nil); !errors.As(err, &failed) || !failed.IsTimeout {
					t.Errorf("Dial: %v, want a lookup that timed out", err)
				}
				// Three rounds of four.
				if took := time.Since(start); took != 5*time.Second && took != 10*time.Second && took != 15*time.Second {
					t.Errorf("a dial took %v", took)
				}
			})
		}
		for range 3 {
			<-time.After(2500 * time.Millisecond)
			// Each lookup asks for both families.
			if got := dns.waiting.Load(); got != 2*4 {
				t.Errorf("after %v %d questions wait for an answer, want two each of four lookups", time.Since(start), got)
			}
			<-time.After(2500 * time.Millisecond)
		}
		dials.Wait()
		if took := time.Since(start); took != 15*time.Second {
			t.Errorf("all took %v, want 15s", took)
		}
	})
}

func TestA7SlowLookupsHoldUpNoAddressThatNeedsNone(t *testing.T) {
	tcp := &transport.TCP{Resolver: (&slowDNS{}).resolver(time.Minute)}
	l := mustListen(t, tcp, "tcp://127.0.0.1:0")
	ctx, cancel := context.WithCancel(t.Context())
	var dials sync.WaitGroup
	for i := range 8 {
		dials.Go(func() {
			if _, err := tcp.Dial(ctx, addr.MustParse(fmt.Sprintf("tcp://name%d.test:1", i))); !errors.Is(err, context.Canceled) {
				t.Errorf("Dial: %v, want it cancelled", err)
			}
		})
	}
	for range 100 {
		conn, err := tcp.Dial(t.Context(), l.Addr())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close() // nothing was sent
	}
	cancel()
	dials.Wait()
}

func TestA7OfAThousandAddressesAFewAreTried(t *testing.T) {
	var ips []string
	for i := range 500 {
		ips = append(ips, fmt.Sprintf("127.1.%d.%d", i/250, i%250), fmt.Sprintf("2001:db8::%x", i))
	}
	tcp := &transport.TCP{Resolver: transporttest.Resolver(t, ips...)}
	var mu sync.Mutex
	tried := make(map[bool]int)
	refusal := errors.New("not this one")
	_, err := tcp.DialChecked(t.Context(), addr.MustParse("tcp://node.test:1"), func(ip netip.Addr) error {
		mu.Lock()
		defer mu.Unlock()
		tried[ip.Is4()]++
		return refusal
	})
	if !errors.Is(err, refusal) {
		t.Errorf("Dial: %v, want %v", err, refusal)
	}
	if tried[true] != 4 || tried[false] != 4 {
		t.Errorf("tried %d addresses of IPv4 and %d of IPv6, want 4 of each", tried[true], tried[false])
	}
}

func TestA7NothingIsConnectedToThatACheckRefuses(t *testing.T) {
	l := mustListen(t, &transport.TCP{}, "tcp://127.0.0.1:0")
	refusal := errors.New("not of the internet")
	public := func(ip netip.Addr) error {
		if addr.IsGlobalIP(ip) {
			return nil
		}
		return refusal
	}
	for name, ips := range map[string][]string{
		"loopback":               {"127.0.0.1"},
		"two that are private":   {"127.0.0.1", "10.0.0.1"},
		"IPv4 written as IPv6":   {"::ffff:127.0.0.1"},
		"loopback in the second": {"169.254.169.254", "127.0.0.1", "::1"},
	} {
		for _, tr := range []transport.Checker{
			&transport.TCP{Resolver: transporttest.Resolver(t, ips...)},
			&transport.TLS{Over: &transport.TCP{Resolver: transporttest.Resolver(t, ips...)}},
		} {
			if _, err := tr.DialChecked(t.Context(), named(l.Addr(), "node.test"), public); !errors.Is(err, refusal) {
				t.Errorf("%s, %T: %v, want it refused", name, tr, err)
			}
		}
	}
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		if conn, err := l.Accept(); err == nil {
			t.Errorf("%v connected", conn.RemoteAddr())
			_ = conn.Close() // nothing was sent
		}
	}()
	_ = l.Close() // what was connected before is accepted before
	<-accepted
}

func TestN7NoNameIsLookedUpMoreOftenThanEveryFiveSeconds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dns := &slowDNS{}
		tcp := &transport.TCP{Resolver: dns.resolver(0)}
		var asked []int32
		var last error
		for range 20 {
			before := dns.asked.Load()
			var together sync.WaitGroup
			for range 3 {
				together.Go(func() {
					if _, err := tcp.Dial(t.Context(), addr.MustParse("tcp://node.test:1")); err == nil {
						t.Error("the name leads somewhere")
					}
				})
			}
			together.Wait()
			_, last = tcp.Dial(t.Context(), addr.MustParse("tcp://node.test:1"))
			asked = append(asked, dns.asked.Load()-before)
			<-time.After(time.Second)
		}
		if failed := (*net.DNSError)(nil); !errors.As(last, &failed) {
			t.Errorf("the last dial ended with %v, want what the lookup did", last)
		}
		one := asked[0] // a lookup asks more than one question
		for second, got := range asked {
			if want := map[bool]int32{true: one}[second%5 == 0]; got != want {
				t.Errorf("%d questions in second %d, want %d", got, second, want)
			}
		}
		if one == 0 {
			t.Error("nothing was ever asked")
		}
	})
}

func TestAnAnswerThatTheCallerDidNotWaitForIsNotKept(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dns := &slowDNS{}
		tcp := &transport.TCP{Resolver: dns.resolver(2 * time.Second)}
		a := addr.MustParse("tcp://node.test:1")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := tcp.Dial(ctx, a); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Dial: %v, want a timeout", err)
		}
		before := dns.asked.Load()
		if _, err := tcp.Dial(t.Context(), a); errors.Is(err, context.DeadlineExceeded) || dns.asked.Load() == before {
			t.Errorf("Dial: %v, want the name asked for again", err)
		}
	})
}

func TestALateAddressOfANameIsTriedWhileAnEarlierHangs(t *testing.T) {
	l := mustListen(t, &transport.TCP{}, "tcp://127.0.0.1:0")
	tcp := &transport.TCP{Resolver: transporttest.Resolver(t, "127.0.0.2", "127.0.0.1")}
	hang := make(chan struct{})
	defer close(hang)
	start := time.Now()
	conn, err := tcp.DialChecked(t.Context(), named(l.Addr(), "node.test"), func(ip netip.Addr) error {
		if ip == netip.MustParseAddr("127.0.0.2") {
			// As long as a connect that gets no answer, seen from here.
			select {
			case <-time.After(2 * time.Second):
			case <-hang:
			}
			return errors.New("no answer")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close() // nothing was sent
	if took := time.Since(start); took < 200*time.Millisecond {
		t.Errorf("the second was tried after %v, want the first given a while", took)
	}
}

func TestTheErrorOfANameIsNotThatOfOurOwnNetworkWhenThereIsAnother(t *testing.T) {
	tcp := &transport.TCP{Resolver: transporttest.Resolver(t, "2001:db8::1", "127.0.0.1")}
	_, err := tcp.DialChecked(t.Context(), addr.MustParse("tcp://node.test:1"), func(ip netip.Addr) error {
		if ip.Is6() {
			return syscall.ENETUNREACH
		}
		return nil
	})
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Dial: %v, want ECONNREFUSED", err)
	}
}

func TestNamesOfOverlayNetworksAreLookedUpByNobody(t *testing.T) {
	resolver := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		t.Error("a name server was asked")
		return nil, errors.New("not to be asked")
	}}
	set := transport.Set{addr.TCP: &transport.TCP{Resolver: resolver}, addr.QUIC: &transport.QUIC{Resolver: resolver}}
	for name, want := range map[string]string{
		"tcp://node.onion:1":  "the scheme tor",
		"tcp://NODE.Onion.:1": "the scheme tor",
		"tcp://node.i2p:1":    "the scheme i2p",
		"quic://node.i2p:1":   "the scheme i2p",
	} {
		a := addr.MustParse(name)
		_, err := set.Dial(t.Context(), a)
		if failed := (*net.DNSError)(nil); !errors.As(err, &failed) || !failed.IsNotFound || !strings.Contains(err.Error(), want) {
			t.Errorf("Dial %s: %v, want %q", a, err, want)
		}
		if _, err := set.Listen(t.Context(), a); err == nil {
			t.Errorf("listens on %s", a)
		}
	}
}
