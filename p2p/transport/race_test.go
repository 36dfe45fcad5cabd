package transport

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
)

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
