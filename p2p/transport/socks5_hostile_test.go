package transport_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
	"dchat/p2p/transport/transporttest"
)

// connectTimeout is what a dial has over a network like Tor's.
const connectTimeout = 15 * time.Second

// hostileProxy is what a proxy does to who dials through it.
type hostileProxy struct {
	name    string
	user    bool     // it is asked by a user
	answers []string // one to each thing that it is sent, which may be none
	stalls  bool     // then it is silent, instead of closing the connection

	want  string // what the error says of the proxy
	fault bool   // whether it is the proxy's
	is    error  // what else it is, or nil
}

const (
	anyone = "\x05\x00" // nobody has to log in
	login  = "\x05\x02" // by user name and password
)

func hostileProxies() []hostileProxy {
	const (
		closed, silent = "closed the connection", "does not answer"
		other, slow    = "does not speak SOCKS5", "has not connected in time"
		wantsUser      = "wants a user name and a password, or another way to log in"
		takesNone      = "takes no user name and password"
		refuses        = "refuses the user name and password"
		bound          = "\x00\x01\x7f\x00\x00\x01\x00\x50"
		long           = "\x05\x00\x00\x03\xff"
	)
	late := context.DeadlineExceeded
	rows := []hostileProxy{
		{"closes at once", false, []string{""}, false, closed, true, nil},
		{"closes after a byte", false, []string{"\x05"}, false, closed, true, nil},
		{"is silent", false, nil, true, silent, true, late},
		{"is silent after a byte", false, []string{"\x05"}, true, silent, true, late},
		{"says one wrong byte", false, []string{"\x04"}, true, other, true, nil},
		{"speaks HTTP", false, []string{"HTTP/1.1 400 Bad Request\r\n\r\n"}, false, other, true, nil},
		{"speaks TLS", false, []string{"\x15\x03\x03\x00\x02\x02\x28"}, false, other, true, nil},
		{"speaks SOCKS4", false, []string{"\x00\x5b\x00\x00\x00\x00\x00\x00"}, false, other, true, nil},
		{"floods", false, []string{strings.Repeat("\xff", 60_000)}, true, other, true, nil},

		{"takes nobody", false, []string{"\x05\xff"}, true, wantsUser, true, nil},
		{"wants a user that it was not offered", false, []string{login}, true, wantsUser, true, nil},
		{"wants one and refuses it unasked", false, []string{login, "\x01\x01"}, false, wantsUser, true, nil},
		{"wants one and connects without", false, []string{login, anyone + bound}, true, wantsUser, true, nil},
		{"wants another way to log in", false, []string{"\x05\x01"}, false, wantsUser, true, nil},
		{"takes no user", true, []string{"\x05\xff"}, true, takesNone, true, nil},
		{"wants another way from a user", true, []string{"\x05\x01"}, true, takesNone, true, nil},

		{"closes instead of a word about the user", true, []string{login, ""}, false, closed, true, nil},
		{"says nothing about the user", true, []string{login}, true, silent, true, late},
		{"says half of it", true, []string{login, "\x01"}, true, silent, true, late},
		{"refuses the user", true, []string{login, "\x01\x01"}, true, refuses, true, nil},
		{"refuses the user otherwise", true, []string{login, "\x01\xff"}, false, refuses, true, nil},
		{"answers the user in another version", true, []string{login, "\x05\x00"}, true, other, true, nil},

		{"closes instead of connecting", false, []string{anyone, ""}, false, closed, true, nil},
		{"connects for ever", false, []string{anyone}, true, slow, false, late},
		{"connects for ever for a user", true, []string{login, "\x01\x00"}, true, slow, false, late},
		{"closes in its reply", false, []string{anyone, "\x05\x00\x00"}, false, closed, true, nil},
		{"stalls in its reply", false, []string{anyone, "\x05\x00\x00"}, true, slow, false, late},
		{"replies in another version", false, []string{anyone, "\x04\x00" + bound}, true, other, true, nil},
		{"replies with zeros", false, []string{anyone, strings.Repeat("\x00", 10)}, true, other, true, nil},
		{"uses what is reserved", false, []string{anyone, "\x05\x00\x01\x01\x7f\x00\x00\x01\x00\x50"}, true, "failed: non-zero reserved field", true, nil},
		{"has an address of no kind", false, []string{anyone, "\x05\x00\x00\x02\x7f\x00\x00\x01\x00\x50"}, true, "failed: unknown address type 2", true, nil},
		{"claims a long name and stalls", false, []string{anyone, long}, true, slow, false, late},
		{"claims a long name and closes", false, []string{anyone, long + strings.Repeat("a", 255)}, false, closed, true, nil},
		{"closes within an IPv6 address", false, []string{anyone, "\x05\x00\x00\x04\x20\x01"}, false, closed, true, nil},
	}
	for code, c := range map[byte]struct {
		text  string
		fault bool
		is    error
	}{
		1:    {"failure", false, nil},
		2:    {"not allowed", false, nil},
		3:    {"network unreachable", false, syscall.EHOSTUNREACH},
		4:    {"host unreachable", false, syscall.EHOSTUNREACH},
		5:    {"connection refused", false, syscall.ECONNREFUSED},
		6:    {"timed out", false, syscall.ETIMEDOUT},
		7:    {"connecting is not supported", true, nil},
		8:    {"addresses of this kind are not supported", false, nil},
		9:    {"no, for reason 9, which is its own", false, nil},
		0xf0: {"no, for reason 240, which is its own", false, nil},
		0xff: {"no, for reason 255, which is its own", false, nil},
	} {
		rows = append(rows,
			hostileProxy{"says " + c.text, false, []string{anyone, "\x05" + string([]byte{code}) + bound}, false, "says: " + c.text, c.fault, c.is},
			hostileProxy{"says to a user " + c.text, true, []string{login, "\x01\x00", "\x05" + string([]byte{code})}, true, "says: " + c.text, c.fault, c.is})
	}
	return rows
}

// serve takes one connection and does to it what the proxy does, until the other end
// has closed it.
func (p hostileProxy) serve(t testing.TB, l transport.Listener) {
	c, err := l.Accept()
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close() //nolint:errcheck // the other end is closed or closing
	buf := make([]byte, 1024)
	for _, answer := range p.answers {
		if _, err := c.Read(buf); err != nil {
			return // it has heard enough
		}
		if _, err := c.Write([]byte(answer)); err != nil {
			return
		}
	}
	if p.stalls {
		_, _ = io.Copy(io.Discard, c) // until it is closed
	}
}

// dialThrough dials by a proxy, and returns when both ends are done.
func dialThrough(t testing.TB, over transport.Transport, p hostileProxy, timeout time.Duration) (proxy string, took time.Duration, err error) {
	l, err := over.Listen(t.Context(), addr.MustParse("tcp://127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // once
	var serving sync.WaitGroup
	defer serving.Wait()
	serving.Go(func() { p.serve(t, l) })
	proxy = l.Addr().HostPort()
	own := "socks5://"
	if p.user {
		own += userinfo
	}
	tr := &transport.Socks5{Over: over, Proxy: addr.MustParse(own + proxy)}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	start := time.Now()
	conn, err := tr.Dial(ctx, addr.MustParse("tor://"+onion+":1"))
	if err == nil {
		_ = conn.Close() // nothing was sent
	}
	return proxy, time.Since(start), err
}

// check checks the error of a dial.
func (p hostileProxy) check(t *testing.T, proxy string, err error) {
	t.Helper()
	if want := "cannot dial tor://" + onion + ":1/: the proxy " + proxy + " " + p.want; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if errors.Is(err, transport.ErrProxy) != p.fault || p.is != nil && !errors.Is(err, p.is) {
		t.Errorf("%v: the proxy's fault: %v, want %v; %v: %v", err, !p.fault, p.fault, p.is, errors.Is(err, p.is))
	}
	if p.is == nil && (errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(syscall.Errno))) {
		t.Errorf("%v is more than it should be", err)
	}
	if errors.Is(err, syscall.ENETUNREACH) {
		t.Errorf("%v is taken for a fault of this machine's network", err)
	}
}

func TestSocks5ProxiesThatDoNotDoTheirPart(t *testing.T) {
	for _, p := range hostileProxies() {
		t.Run(p.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				proxy, took, err := dialThrough(t, transport.NewMem(), p, connectTimeout)
				p.check(t, proxy, err)
				if want := errors.Is(p.is, context.DeadlineExceeded); want != (took == connectTimeout) || !want && took != 0 {
					t.Errorf("it took %v", took)
				}
			})
		})
		t.Run(p.name+", over TCP", func(t *testing.T) {
			timeout := 10 * time.Second
			if errors.Is(p.is, context.DeadlineExceeded) {
				timeout = 30 * time.Millisecond
			}
			proxy, took, err := dialThrough(t, &transport.TCP{}, p, timeout)
			p.check(t, proxy, err)
			if took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestSocks5CancelledAtAnyPoint(t *testing.T) {
	for _, p := range hostileProxies() {
		if !errors.Is(p.is, context.DeadlineExceeded) {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem := transport.NewMem()
				l := mustListen(t, mem, "tcp://127.0.0.1:0")
				var serving sync.WaitGroup
				defer serving.Wait()
				serving.Go(func() { p.serve(t, l) })
				ctx, cancel := context.WithCancel(t.Context())
				start := time.Now()
				time.AfterFunc(3*time.Second, cancel)
				own := ""
				if p.user {
					own = userinfo
				}
				_, err := (&transport.Socks5{Over: mem}).Dial(ctx, addr.MustParse("socks5://"+own+l.Addr().HostPort()+"/host:1"))
				if !errors.Is(err, context.Canceled) || errors.Is(err, transport.ErrProxy) {
					t.Errorf("got %v, want %v alone", err, context.Canceled)
				}
				if took := time.Since(start); took != 3*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// TestH11SocksStall has a proxy that is never quite silent: the time is that of the
// whole dial.
func TestH11SocksStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMem()
		l := mustListen(t, mem, "tcp://127.0.0.1:0")
		var serving sync.WaitGroup
		defer serving.Wait()
		serving.Go(func() {
			c, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close() //nolint:errcheck // the other end is closed
			tick := time.NewTicker(2 * time.Second)
			defer tick.Stop()
			for _, b := range []byte(anyone + "\x05\x00\x00\x03\xff" + strings.Repeat("a", 257)) {
				<-tick.C
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
			}
			t.Error("it had all the time in the world")
		})
		ctx, cancel := context.WithTimeout(t.Context(), connectTimeout)
		defer cancel()
		start := time.Now()
		_, err := (&transport.Socks5{Over: mem}).Dial(ctx, addr.MustParse("socks5://"+l.Addr().HostPort()+"/host:1"))
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != connectTimeout {
			t.Errorf("got %v after %v, want a timeout after %v", err, took, connectTimeout)
		}
	})
}

func TestSocks5ProxiesThatCannotBeReached(t *testing.T) {
	l := mustListen(t, &transport.TCP{}, "tcp://127.0.0.1:0")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		over transport.Transport
		at   string
		want string
		is   error
	}{
		{"nobody listens", &transport.TCP{}, l.Addr().HostPort(), "cannot be reached: connect: connection refused", syscall.ECONNREFUSED},
		{"nobody answers", &transport.TCP{}, transporttest.StalledTCP(t, "127.0.0.1:0"), "cannot be reached: timed out", context.DeadlineExceeded},
		{"no such name", &transport.TCP{Resolver: transporttest.Resolver(t)}, "proxy.test:1", "cannot be reached: lookup proxy.test", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err := (&transport.Socks5{Over: c.over}).Dial(ctx, addr.MustParse("socks5://"+userinfo+c.at+"/host:1"))
			if want := "cannot dial socks5://" + c.at + "/host:1: the proxy " + c.at + " " + c.want; err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
			if !errors.Is(err, transport.ErrProxy) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v is not both %v and %v", err, transport.ErrProxy, c.is)
			}
			cancelled, cancel := context.WithCancel(t.Context())
			cancel()
			_, err = (&transport.Socks5{Over: c.over}).Dial(cancelled, addr.MustParse("socks5://"+c.at+"/host:1"))
			if !errors.Is(err, context.Canceled) || errors.Is(err, transport.ErrProxy) {
				t.Errorf("cancelled: %v, want %v alone", err, context.Canceled)
			}
		})
	}
}
