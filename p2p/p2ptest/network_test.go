package p2ptest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p"
	"dchat/p2p/addr"
	"dchat/p2p/transport"
	"dchat/p2p/transport/transporttest"
)

// The two hosts of tests about connections.
var here, there = netip.MustParseAddr("51.1.0.1"), netip.MustParseAddr("52.1.0.1")

func subject(config Config, listen string) func(*testing.T) transporttest.Subject {
	return func(*testing.T) transporttest.Subject {
		n := NewNetwork(config)
		a := addr.MustParse(listen)
		ip, _ := a.IP()
		return transporttest.Subject{
			Transport: n.From(ip)[a.Scheme()],
			Listen:    a,
			Stalled:   func(*testing.T) addr.Addr { return n.Dead() },
		}
	}
}

func TestASimulatedNetworkIsATransport(t *testing.T) {
	transporttest.Run(t, subject(Config{}, "tcp://51.1.0.1:0"))
}

func TestASimulatedNetworkIsATransportInVirtualTime(t *testing.T) {
	for name, subject := range map[string]func(*testing.T) transporttest.Subject{
		"IPv4":               subject(Config{}, "tcp://51.1.0.1:0"),
		"IPv6":               subject(Config{}, "tcp+tls://[2a00::1]:0"),
		"with delays":        subject(Config{Seed: 1, Latency: time.Millisecond, Jitter: time.Millisecond}, "tcp://51.1.0.1:0"),
		"where much is lost": subject(Config{Seed: 2, Loss: 0.3}, "tcp://51.1.0.1:0"),
	} {
		t.Run(name, func(t *testing.T) { transporttest.RunVirtual(t, subject) })
	}
}

// pairIn connects the two hosts, and returns the ends with what is between them.
func pairIn(t *testing.T, n *Network) (dialled, accepted transport.Conn) {
	t.Helper()
	l, err := n.From(there).Listen(t.Context(), addr.MustParse("tcp://0.0.0.0:7"))
	if err != nil {
		t.Fatal(err)
	}
	dialled, err = n.From(here).Dial(t.Context(), addr.MustParse("tcp://52.1.0.1:7"))
	if err != nil {
		t.Fatal(err)
	}
	if accepted, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, c := range []io.Closer{l, dialled, accepted} {
			if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		}
	})
	return dialled, accepted
}

func TestBytesTakeTheLatencyAndKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const latency, jitter = 20 * time.Millisecond, 10 * time.Millisecond
		n := NewNetwork(Config{Seed: 1, Latency: latency, Jitter: jitter})
		began := time.Now()
		dialled, accepted := pairIn(t, n)
		if took := time.Since(began); took < 3*latency || took > 3*(latency+jitter)+time.Millisecond {
			t.Errorf("connecting took %v, want three times the latency", took)
		}
		times := make(map[time.Duration]bool)
		for i := range 100 {
			sent := time.Now()
			for _, b := range []byte{byte(i), byte(i + 1)} {
				if _, err := dialled.Write([]byte{b}); err != nil {
					t.Fatal(err)
				}
			}
			got := make([]byte, 2)
			if _, err := io.ReadFull(accepted, got); err != nil || got[0] != byte(i) || got[1] != byte(i+1) {
				t.Fatalf("got %v, %v", got, err)
			}
			took := time.Since(sent)
			times[took.Round(time.Millisecond)] = true
			if took < latency || took > latency+jitter+time.Millisecond {
				t.Errorf("it took %v, want %v to %v", took, latency, latency+jitter)
			}
		}
		if len(times) < 5 {
			t.Errorf("%d different times of 100, want them spread", len(times))
		}
	})
}

func TestDiallingAnswersAsARealNetworkDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(Config{Latency: 10 * time.Millisecond})
		from := n.From(here)
		n.From(there)
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		began := time.Now()
		if _, err := from.Dial(ctx, addr.MustParse("tcp://52.1.0.1:7")); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a port that nobody listens on: %v, want a refusal", err)
		}
		if took := time.Since(began); took < 20*time.Millisecond || took > 21*time.Millisecond {
			t.Errorf("the refusal took %v, want a round trip", took)
		}
		var noName *net.DNSError
		if _, err := from.Dial(ctx, addr.MustParse("tcp://some.where:7")); !errors.As(err, &noName) || !noName.IsNotFound {
			t.Errorf("a name: %v, want none found", err)
		}
		if _, err := from.Listen(ctx, addr.MustParse("tcp://52.1.0.1:7")); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("listening at the address of another host: %v, want EADDRNOTAVAIL", err)
		}
		began = time.Now()
		if _, err := from.Dial(ctx, n.Dead()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an address with nobody: %v, want no answer", err)
		}
		if took := time.Since(began); took < 14*time.Second {
			t.Errorf("it was given up after %v, want all of the time", took)
		}
	})
}

func TestAQuestionThatGotLostIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []Dialled
		n := NewNetwork(Config{Seed: 5, Loss: 0.5, Trace: func(d Dialled) { seen = append(seen, d) }})
		l, err := n.From(there).Listen(t.Context(), addr.MustParse("tcp://0.0.0.0:7"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() //nolint:errcheck // it ends the test
		for range 100 {
			dialled, err := n.From(here).Dial(t.Context(), addr.MustParse("tcp://52.1.0.1:7"))
			if err != nil {
				t.Fatal(err)
			}
			accepted, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			_ = dialled.Close()
			_ = accepted.Close()
		}
		count := make(map[time.Duration]int)
		for _, d := range seen {
			count[d.Took.Truncate(time.Second)]++
		}
		if count[0] < 35 || count[time.Second] < 15 || count[3*time.Second] < 5 || count[2*time.Second] > 0 {
			t.Errorf("the dials took %v, want about half at once, a quarter 1 s, an eighth 3 s", count)
		}
	})
}

func TestWhatCannotArriveWaits(t *testing.T) {
	for name, fault := range map[string]struct{ begin, end func(*Network, []*Node) }{
		"partition": {func(n *Network, nodes []*Node) { n.Partition(nodes[:1], nodes[1:]) }, func(n *Network, _ []*Node) { n.Heal() }},
		"stall":     {func(_ *Network, nodes []*Node) { nodes[1].Stall() }, func(_ *Network, nodes []*Node) { nodes[1].Resume() }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := NewNetwork(Config{Latency: 10 * time.Millisecond})
				nodes := []*Node{mustNodeAt(t, n, here), mustNodeAt(t, n, there)}
				dialled, accepted := pairIn(t, n)
				if _, err := dialled.Write([]byte("one")); err != nil {
					t.Fatal(err)
				}
				fault.begin(n, nodes)
				if err := dialled.Close(); err != nil {
					t.Fatal(err)
				}
				_ = accepted.SetReadDeadline(time.Now().Add(time.Hour))
				if b, err := io.ReadAll(accepted); len(b) > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("read %q, %v through the fault", b, err)
				}
				_ = accepted.SetReadDeadline(time.Time{})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				if _, err := n.From(here).Dial(ctx, addr.MustParse("tcp://52.1.0.1:7")); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("dialling: %v, want no answer", err)
				}
				fault.end(n, nodes)
				began := time.Now()
				if b, err := io.ReadAll(accepted); string(b) != "one" || err != nil {
					t.Errorf("read %q, %v after the fault, want all that was sent", b, err)
				}
				if took := time.Since(began); took < 10*time.Millisecond || took > 11*time.Millisecond {
					t.Errorf("it came %v after the fault, want the latency", took)
				}
			})
		})
	}
}

func TestACutIsAResetAtBothEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(Config{Latency: 10 * time.Millisecond})
		a, b := mustNodeAt(t, n, here), mustNodeAt(t, n, there)
		set := a.process.transports()
		l, err := b.process.transports().Listen(t.Context(), addr.MustParse("tcp://0.0.0.0:7"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() //nolint:errcheck // it ends the test
		dialled, err := set.Dial(t.Context(), addr.MustParse("tcp://52.1.0.1:7"))
		if err != nil {
			t.Fatal(err)
		}
		accepted, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got := n.Cut(a, b); got != 1 {
			t.Errorf("cut %d connections, want 1", got)
		}
		for _, c := range []transport.Conn{dialled, accepted} {
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("read: %v, want a reset", err)
			}
			if _, err := c.Write(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("write: %v, want a reset", err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		if got := n.Cut(a, b); got != 0 {
			t.Errorf("cut %d connections more", got)
		}
	})
}

func mustNodeAt(t testing.TB, n *Network, ip netip.Addr) *Node {
	t.Helper()
	node, err := n.NodeAt(ip, nil)
	if err != nil {
		t.Fatal(err)
	}
	return node
}

func TestACrashLeavesResetsAndAPortThatRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(Config{Latency: 10 * time.Millisecond})
		node := mustNodeAt(t, n, there)
		if err := node.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		peer := Dial(t, n.From(here), node.Addr())
		peer.Greet()
		if err := node.Crash(t.Context()); err != nil {
			t.Error(err)
		}
		for {
			if _, err := peer.TryRead(); err != nil {
				if !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("the peer reads %v, want a reset", err)
				}
				break
			}
		}
		if _, err := n.From(here).Dial(t.Context(), node.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dialling: %v, want a refusal", err)
		}
		if err := node.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		Dial(t, n.From(here), node.Addr()).Greet()
		if err := n.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestHostsOfTheirOwnLookPublicAndFarApart(t *testing.T) {
	n := NewNetwork(Config{})
	n.From(netip.MustParseAddr("22.0.1.1"))
	subnets := make(map[netip.Prefix]bool)
	for range 5000 {
		a := n.Dead()
		ip, _ := a.IP()
		subnet, err := ip.Prefix(16)
		if err != nil || subnets[subnet] || !a.IsGlobal() {
			t.Fatalf("%v: not public, or in a subnet with another", a)
		}
		subnets[subnet] = true
	}
	if subnets[netip.MustParsePrefix("22.0.0.0/16")] {
		t.Error("the address of a host was given to another")
	}
}

func TestANodeThatIsNotValidIsNotMade(t *testing.T) {
	_, err := NewNetwork(Config{}).Node(func(s *p2p.Settings) { s.AppName = "" })
	var fault *p2p.SettingError
	if !errors.As(err, &fault) || fault.Field != "AppName" {
		t.Errorf("got %v, want the fault of the settings", err)
	}
}
