package transport

import (
	"context"
	"errors"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// reached is a connection to an IP.
type reached netip.Addr

func (reached) Close() error { return nil }

// TestTheOtherFamilyIsUsedWhenOneIsBroken, after a quarter of a second where the first
// keeps silent, and at once where it fails.
func TestTheOtherFamilyIsUsedWhenOneIsBroken(t *testing.T) {
	const connecting = 30 * time.Millisecond
	var (
		six  = []string{"2a00::1", "2a00::2", "2a00::3", "2a00::4", "2a00::5", "2a00::6", "2a00::7", "2a00::8", "2a00::9"}
		four = []string{"51.0.0.1", "51.0.0.2", "51.0.0.3", "51.0.0.4", "51.0.0.5", "51.0.0.6", "51.0.0.7", "51.0.0.8", "51.0.0.9"}
	)
	for _, c := range []struct {
		name          string
		broken, works []string
		silent        bool
		want          time.Duration
	}{
		{"IPv6 is silent", six[:1], four[:1], true, attemptDelay + connecting},
		{"IPv4 is silent", four[:1], six[:1], true, attemptDelay + connecting},
		{"IPv6 has no route", six[:1], four[:1], false, connecting},
		{"IPv4 has no route", four[:1], six[:1], false, connecting},
		{"nine of IPv6 are silent", six, four[:1], true, attemptDelay + connecting},
		{"nine of IPv4 are silent", four, six[:1], true, attemptDelay + connecting},
		{"nine of IPv6 have no route", six, four, false, connecting},
		{"none is broken", nil, append(six[:1:1], four...), true, connecting},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := make(map[netip.Addr]bool) // broken
				var answer []netip.Addr         // with what is broken first
				for i, ips := range [][]string{c.broken, c.works} {
					for _, ip := range ips {
						answer = append(answer, netip.MustParseAddr(ip))
						is[answer[len(answer)-1]] = i == 0
					}
				}
				start := time.Now()
				conn, err := race(t.Context(), alternate(answer), func(ctx context.Context, ip netip.Addr) (reached, error) {
					switch {
					case is[ip] && c.silent:
						<-ctx.Done()
						return reached{}, ctx.Err()
					case is[ip]:
						return reached{}, syscall.ENETUNREACH
					}
					select {
					case <-time.After(connecting):
						return reached(ip), nil
					case <-ctx.Done():
						return reached{}, ctx.Err()
					}
				})
				if err != nil || is[netip.Addr(conn)] {
					t.Fatalf("connected to %v, %v", netip.Addr(conn), err)
				}
				if took := time.Since(start); took != c.want {
					t.Errorf("connected to %v after %v, want %v", netip.Addr(conn), took, c.want)
				}
			})
		})
	}
}

// TestBothFamiliesBrokenIsOneError, that of the network at large rather than of ours.
func TestBothFamiliesBrokenIsOneError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ips := []netip.Addr{netip.MustParseAddr("2a00::1"), netip.MustParseAddr("51.0.0.1")}
		_, err := race(t.Context(), ips, func(_ context.Context, ip netip.Addr) (reached, error) {
			if ip.Is6() {
				return reached{}, syscall.ENETUNREACH
			}
			return reached{}, syscall.ECONNREFUSED
		})
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("got %v, want ECONNREFUSED", err)
		}
	})
}
