package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"dchat/p2p/addr"
)

// attemptDelay is how long one address of a name is given before the next is
// tried as well.
const attemptDelay = 250 * time.Millisecond

// dialEach connects to the IP address of a, or to one of those that its name stands
// for. check, unless nil, is asked about each first, and its error takes the place of
// the attempt.
func dialEach[C io.Closer](ctx context.Context, n *names, resolver *net.Resolver, a addr.Addr, check func(netip.Addr) error, dial func(context.Context, netip.AddrPort) (C, error)) (C, error) {
	port, _ := a.Port()
	checked := func(ctx context.Context, ip netip.Addr) (C, error) {
		if check != nil {
			if err := check(ip.WithZone("")); err != nil {
				return *new(C), err
			}
		}
		return dial(ctx, netip.AddrPortFrom(ip, port))
	}
	if ip, ok := a.IP(); ok {
		return checked(ctx, ip)
	}
	ips, err := n.find(ctx, resolver, a.Hostname())
	if err != nil {
		return *new(C), err
	}
	return race(ctx, ips, checked)
}

// race connects to one of several addresses: it tries each when those before have
// failed or have not answered for a while, and the first connection wins. No attempt
// goes on when it returns, unless dial leaves one to itself.
func race[C io.Closer](ctx context.Context, ips []netip.Addr, dial func(context.Context, netip.Addr) (C, error)) (C, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		conn C
		err  error
	}
	results := make(chan result)
	ticker := time.NewTicker(attemptDelay)
	defer ticker.Stop()
	running := 0
	next := func() {
		if len(ips) == 0 || ctx.Err() != nil {
			return
		}
		ip := ips[0]
		ips = ips[1:]
		running++
		ticker.Reset(attemptDelay)
		go func() {
			conn, err := dial(ctx, ip)
			results <- result{conn, err}
		}()
	}
	var winner *result
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
				winner = &r
				cancel()
			default:
				_ = r.conn.Close() // it came too late, and nothing was sent
			}
		}
	}
	if winner != nil {
		return winner.conn, nil
	}
	return *new(C), telling(ctx, failed)
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
	errno := syscall.EHOSTUNREACH
	if _, err := sourceFor(ctx, ap); err != nil {
		errno = syscall.ENETUNREACH
	}
	told := *op
	told.Err = os.NewSyscallError("connect", errno)
	return &told
}

// sourceFor is the address of this machine from which packets to another one leave,
// or why there is no route. To connect over UDP is to look for it; nothing is sent.
func sourceFor(ctx context.Context, ap netip.AddrPort) (netip.Addr, error) {
	conn, err := (&net.Dialer{}).DialContext(context.WithoutCancel(ctx), "udp", ap.String())
	if err != nil {
		return netip.Addr{}, err
	}
	defer conn.Close() //nolint:errcheck // nothing was sent
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap().WithZone(""), nil
}
