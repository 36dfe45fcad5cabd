package transporttest

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

func testPortZero(t *testing.T, s Subject) {
	if !s.hasPorts() {
		a := listen(t, s).Addr()
		if a != s.Listen {
			t.Errorf("listening on %s gave %s", s.Listen, a)
		}
		return
	}
	first, second := listen(t, s), listen(t, s)
	for _, l := range []transport.Listener{first, second} {
		port, _ := l.Addr().Port()
		if want, _ := s.Listen.WithPort(port); port == 0 || l.Addr() != want {
			t.Errorf("listening on %s gave %s", s.Listen, l.Addr())
		}
		dialled, accepted := connect(t, s, l)
		exchange(t, dialled, accepted)
	}
	if first.Addr() == second.Addr() {
		t.Errorf("both listeners have %s", first.Addr())
	}
}

func testNoPort(t *testing.T, s Subject) {
	a, ok := s.Listen.WithoutPort()
	if !ok { // where there are files instead, a host is as wrong
		a = addr.MustParse(s.Listen.Scheme() + "://localhost")
	}
	_, dialErr := s.dial(t.Context(), a)
	_, listenErr := s.listener().Listen(t.Context(), a)
	for op, err := range map[string]error{"Dial": dialErr, "Listen": listenErr} {
		told := (*transport.Error)(nil)
		switch {
		case !errors.As(err, &told):
			t.Errorf("%s: %v, want a *transport.Error", op, err)
		case s.hasPorts() && !errors.Is(err, transport.ErrNoPort):
			t.Errorf("%s: %v, want %v", op, err, transport.ErrNoPort)
		}
	}
}

func testAddressInUse(t *testing.T, s Subject) {
	l := listen(t, s)
	_, err := s.listener().Listen(t.Context(), l.Addr())
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("the second Listen: %v, want EADDRINUSE and the address", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := s.listener().Listen(t.Context(), l.Addr())
	if err != nil {
		t.Fatalf("after Close: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func testDialOnly(t *testing.T, s Subject) {
	if transport.CanListen(s.Transport) {
		if s.Listener != nil {
			t.Error("it can listen, and the test has another transport do so")
		}
		return
	}
	if _, err := s.Transport.Listen(t.Context(), s.Listen); !errors.Is(err, transport.ErrDialOnly) {
		t.Errorf("Listen: %v, want %v", err, transport.ErrDialOnly)
	}
}

func testNobody(t *testing.T, s Subject) {
	l := listen(t, s)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	patience, want := limit, error(syscall.ECONNREFUSED)
	switch {
	case s.Silent:
		patience, want = moment, context.DeadlineExceeded
	case !s.hasPorts(): // the file is gone
		want = fs.ErrNotExist
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := s.dial(ctx, l.Addr())
	if to := s.to(l.Addr()); !errors.Is(err, want) || !strings.Contains(err.Error(), to.Redacted()) {
		t.Errorf("Dial: %v, want %v and the address %s", err, want, to.Redacted())
	}
}

func testDialCancelled(t *testing.T, s Subject) {
	l := listen(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.dial(ctx, l.Addr()); !errors.Is(err, context.Canceled) {
		t.Errorf("Dial: %v, want %v", err, context.Canceled)
	}
}

func testCancelDial(t *testing.T, s Subject) {
	a := s.Stalled(t)
	ctx, cancel := context.WithCancel(t.Context())
	start := time.Now()
	time.AfterFunc(moment, cancel)
	_, err := s.Transport.Dial(ctx, a)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Dial: %v, want %v", err, context.Canceled)
	}
	if took := time.Since(start); took < moment || took > limit {
		t.Errorf("it took %s, cancelled after %s", took, moment)
	}
}

func testDialDeadline(t *testing.T, s Subject) {
	a := s.Stalled(t)
	ctx, cancel := context.WithTimeout(t.Context(), moment)
	defer cancel()
	start := time.Now()
	_, err := s.Transport.Dial(ctx, a)
	if timeout := (net.Error)(nil); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("Dial: %v, want a timeout such as %v", err, context.DeadlineExceeded)
	}
	if took := time.Since(start); took > limit {
		t.Errorf("it took %s, with %s to go", took, moment)
	}
}

func testListenerClose(t *testing.T, s Subject) {
	l := listen(t, s)
	accepting := inBackground(l.Accept)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := accepting(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept while closing: %v, want %v", err, net.ErrClosed)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after closing: %v, want %v", err, net.ErrClosed)
	}
	if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Errorf("the second Close: %v", err)
	}
}

func testOutlive(t *testing.T, s Subject) {
	l := listen(t, s)
	dialled, accepted := connect(t, s, l) // cancels the dial context
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	exchange(t, dialled, accepted)
}

func testPeer(t *testing.T, s Subject) {
	l := listen(t, s)
	dialled, accepted := connect(t, s, l)
	if want := s.to(l.Addr()); dialled.Peer() != want {
		t.Errorf("dialled %s, peer %s", want, dialled.Peer())
	}
	if got, want := accepted.Peer().Scheme(), s.Listen.Scheme(); got != want {
		t.Errorf("the scheme of the accepted peer is %s, want %s", got, want)
	}
	switch {
	case !s.hasPorts():
		if accepted.Peer() != l.Addr() {
			t.Errorf("the accepted peer is %s, want the listener's own address %s, as it has none", accepted.Peer(), l.Addr())
		}
	case s.Listener == nil: // else something stands between the two
		checkEnds(t, dialled, accepted)
	}
}

// checkEnds checks that both ends of a connection have the same sockets.
func checkEnds(t *testing.T, dialled, accepted transport.Conn) {
	t.Helper()
	if got, want := accepted.Peer().HostPort(), dialled.LocalAddr().String(); got != want {
		t.Errorf("the peer of the accepted connection is %s, the dialler is %s", got, want)
	}
	for _, pair := range [][2]transport.Conn{{dialled, accepted}, {accepted, dialled}} {
		if got, want := pair[0].RemoteAddr().String(), pair[1].LocalAddr().String(); got != want {
			t.Errorf("remote address %s, the other end is %s", got, want)
		}
	}
}

func testMany(t *testing.T, s Subject) {
	// No more at once than a QUIC listener gives time enough: with more it hurries them, and on a
	// busy machine they miss that.
	const n, atOnce = 96, 16
	l := listen(t, s)
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		for range n {
			c, err := l.Accept()
			if err != nil {
				return // the dialling side tells
			}
			all.Go(func() {
				_, _ = io.Copy(c, c) // what is missing is missed at the other end
				_ = c.Close()
			})
		}
	})
	for first := range atOnce {
		all.Go(func() {
			for i := first; i < n; i += atOnce {
				if err := echo(t.Context(), s, l, byte(i)); err != nil {
					t.Error(err)
					_ = l.Close()
					return
				}
			}
		})
	}
}

// echo dials, and sends something that is to come back.
func echo(ctx context.Context, s Subject, l transport.Listener, b byte) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c, err := s.dial(ctx, l.Addr())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	if _, err := c.Write([]byte{b}); err != nil {
		return err
	}
	got := []byte{b + 1}
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if got[0] != b {
		return errors.New("the echo is of another connection")
	}
	return nil
}
