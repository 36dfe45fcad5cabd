package transport

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestEachAddressOfANameHasItsTimeBeforeTheNextIsTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused, silent, good := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")
		start := time.Now()
		var mu sync.Mutex
		tried := make(map[netip.Addr]time.Duration)
		conn, err := race(t.Context(), []netip.Addr{refused, silent, good}, func(ctx context.Context, ip netip.Addr) (io.Closer, error) {
			mu.Lock()
			tried[ip] = time.Since(start)
			mu.Unlock()
			switch ip {
			case refused:
				<-time.After(attemptDelay - 1)
				return nil, syscall.ECONNREFUSED
			case silent:
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return io.NopCloser(nil), nil
		})
		want := map[netip.Addr]time.Duration{refused: 0, silent: attemptDelay - 1, good: 2*attemptDelay - 1}
		if conn == nil || err != nil || !maps.Equal(tried, want) {
			t.Errorf("%v, tried at %v, want %v", err, tried, want)
		}
	})
}

func TestNoRouteIsToldApartFromWhatOthersSay(t *testing.T) {
	near, nowhere := netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("[fe80::1]:1") // without a zone
	for _, c := range []struct {
		told syscall.Errno
		at   netip.AddrPort
		want syscall.Errno
	}{
		{syscall.ENETUNREACH, near, syscall.EHOSTUNREACH},
		{syscall.EHOSTUNREACH, near, syscall.EHOSTUNREACH},
		{syscall.ENETUNREACH, nowhere, syscall.ENETUNREACH},
		{syscall.EHOSTUNREACH, nowhere, syscall.ENETUNREACH},
		{syscall.ECONNREFUSED, near, syscall.ECONNREFUSED},
		{syscall.ECONNREFUSED, nowhere, syscall.ECONNREFUSED},
	} {
		told := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", c.told)}
		got := unreachable(t.Context(), told, c.at)
		if op := (*net.OpError)(nil); !errors.Is(got, c.want) || !errors.As(got, &op) || op.Op != "dial" {
			t.Errorf("%v at %v became %v, want %v", c.told, c.at, got, c.want)
		}
		if !errors.Is(told, c.told) {
			t.Errorf("the error that was told has changed: %v", told)
		}
	}
}
