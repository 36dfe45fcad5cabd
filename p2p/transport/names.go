package transport

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"dchat/p2p/addr"
)

const (
	// lookupsAtOnce is how many names a transport looks up at a time: whoever runs
	// a slow name server is not to occupy more of it.
	lookupsAtOnce = 4
	// lookupTime bounds a lookup.
	lookupTime = 5 * time.Second
	// lookupInterval is how long an answer, also that there is none, is kept: no
	// name is asked for more often.
	lookupInterval = 5 * time.Second
	// mostIPs is how many addresses of a name are used.
	mostIPs = 8
)

// names looks up names for one transport. The zero value is ready for use.
type names struct {
	mu     sync.Mutex
	slots  chan struct{} // held by those who look something up
	recent map[string]*lookup
}

// lookup is one name and what it stands for.
type lookup struct {
	turn  chan struct{} // held by the one who asks
	users int           // who have not left

	// The answer, until it is too old.
	until time.Time
	ips   []netip.Addr
	err   error
}

// find returns the addresses of a name, at least one and at most mostIPs, of both
// families in turn as long as there are both.
func (n *names) find(ctx context.Context, resolver *net.Resolver, name string) ([]netip.Addr, error) {
	l := n.join(name)
	defer n.leave(l)
	if err := acquire(ctx, l.turn); err != nil {
		return nil, err
	}
	defer release(l.turn)
	if ips, err, ok := n.known(l); ok {
		return ips, err
	}
	if err := acquire(ctx, n.slots); err != nil {
		return nil, err
	}
	defer release(n.slots)
	ips, err := resolve(ctx, resolver, name)
	if ctx.Err() == nil { // else the caller was in a hurry, which says nothing about the name
		n.keep(l, ips, err)
	}
	return ips, err
}

// first is the IP address of a, or the first of those that its name stands for.
func (n *names) first(ctx context.Context, resolver *net.Resolver, a addr.Addr) (netip.AddrPort, error) {
	port, _ := a.Port()
	if ip, ok := a.IP(); ok {
		return netip.AddrPortFrom(ip, port), nil
	}
	ips, err := n.find(ctx, resolver, a.Hostname())
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(ips[0], port), nil
}

// join returns the lookup of a name, and forgets those that are too old.
func (n *names) join(name string) *lookup {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.recent == nil {
		n.slots = make(chan struct{}, lookupsAtOnce)
		n.recent = make(map[string]*lookup)
	}
	l := n.recent[name]
	if l == nil {
		now := time.Now()
		for other, old := range n.recent {
			if old.users == 0 && !now.Before(old.until) {
				delete(n.recent, other)
			}
		}
		l = &lookup{turn: make(chan struct{}, 1)}
		n.recent[name] = l
	}
	l.users++
	return l
}

func (n *names) leave(l *lookup) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l.users--
}

func (n *names) known(l *lookup) (ips []netip.Addr, err error, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return l.ips, l.err, time.Now().Before(l.until)
}

func (n *names) keep(l *lookup, ips []netip.Addr, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l.ips, l.err, l.until = ips, err, time.Now().Add(lookupInterval)
}

func acquire(ctx context.Context, slots chan<- struct{}) error {
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func release(slots <-chan struct{}) { <-slots }

// resolve asks for the addresses of a name.
func resolve(ctx context.Context, resolver *net.Resolver, name string) ([]netip.Addr, error) {
	if network := addr.Overlay(name); network != "" {
		return nil, &net.DNSError{Err: "only " + network + " finds it: give the address with the scheme " + strings.ToLower(network), Name: name, IsNotFound: true}
	}
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	bounded, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	ips, err := resolver.LookupNetIP(bounded, "ip", name)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		err = &net.DNSError{Err: "no answer within " + lookupTime.String(), Name: name, IsTimeout: true}
	}
	return alternate(ips), err
}

// alternate orders addresses so that the families take turns, beginning with that
// of the first, and cuts off what is too much.
func alternate(ips []netip.Addr) []netip.Addr {
	var families [2][]netip.Addr
	for _, ip := range ips {
		ip = ip.Unmap()
		i := 0
		if ip.Is4() != ips[0].Unmap().Is4() {
			i = 1
		}
		if len(families[i]) < mostIPs {
			families[i] = append(families[i], ip)
		}
	}
	var mixed []netip.Addr
	for i := range mostIPs {
		for _, family := range families {
			if i < len(family) {
				mixed = append(mixed, family[i])
			}
		}
	}
	return mixed[:min(len(mixed), mostIPs)]
}
