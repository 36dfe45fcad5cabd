package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// attemptDelay is how long one address of a name is given before the next is
// tried as well.
const attemptDelay = 250 * time.Millisecond

// race connects to one of several addresses: it tries each when those before have
// failed or have not answered for a while, and the first connection wins. Nothing
// of it goes on when it returns.
func race(ctx context.Context, ips []netip.Addr, dial func(context.Context, netip.Addr) (*net.TCPConn, error)) (*net.TCPConn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		conn *net.TCPConn
		err  error
	}
	results := make(chan result)
	running := 0
	next := func() {
		if len(ips) == 0 || ctx.Err() != nil {
			return
		}
		ip := ips[0]
		ips = ips[1:]
		running++
		go func() {
			conn, err := dial(ctx, ip)
			results <- result{conn, err}
		}()
	}
	ticker := time.NewTicker(attemptDelay)
	defer ticker.Stop()
	var winner *net.TCPConn
	var failed []error
	for next(); running > 0; {
		select {
		case <-ticker.C:
			next()
		case r := <-results:
			running--
			switch {
			case r.err != nil:
				failed = append(failed, r.err)
				next()
			case winner == nil:
				winner = r.conn
				cancel()
			default:
				_ = r.conn.Close() // it came too late, and nothing was sent
			}
		}
	}
	if winner != nil {
		return winner, nil
	}
	return nil, telling(ctx, failed)
}

// telling is the error that says most of a name: one that is not our own network's,
// when there is any.
func telling(ctx context.Context, failed []error) error {
	for _, err := range failed {
		if !errors.Is(err, syscall.ENETUNREACH) {
			return err
		}
	}
	if len(failed) > 0 {
		return failed[0]
	}
	return ctx.Err()
}

// unreachable sets right what a failed connect says about routes: ENETUNREACH is that
// this machine has none to the address, EHOSTUNREACH that somebody on the way has
// none. Systems say either for both, and the second is for anybody to say who owns
// an address.
func unreachable(ctx context.Context, err error, ap netip.AddrPort) error {
	op := (*net.OpError)(nil)
	if !errors.As(err, &op) || !errors.Is(err, syscall.ENETUNREACH) && !errors.Is(err, syscall.EHOSTUNREACH) {
		return err
	}
	errno := syscall.ENETUNREACH
	if routed(ctx, ap) {
		errno = syscall.EHOSTUNREACH
	}
	told := *op
	told.Err = os.NewSyscallError("connect", errno)
	return &told
}

// routed tells whether this machine has a route to an address. To connect over UDP
// is to look for it; nothing is sent.
func routed(ctx context.Context, ap netip.AddrPort) bool {
	conn, err := (&net.Dialer{}).DialContext(context.WithoutCancel(ctx), "udp", ap.String())
	if err == nil {
		_ = conn.Close() // nothing was sent
	}
	return err == nil
}
