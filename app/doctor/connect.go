package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// resolve looks a name up, where the node would look it up itself: one that goes
// through a proxy must not be asked of anybody else.
func (e *examination) resolve(ctx context.Context, f *finding) bool {
	_, isIP := f.endpoint.IP()
	if _, _, proxy := watched(e.Transports[f.endpoint.Scheme()]); isIP || !direct(f.endpoint.Scheme()) || proxy != nil {
		return true
	}
	if network := addr.Overlay(f.endpoint.Hostname()); network != "" {
		f.fail(StepResolve, fault{"only " + network + " finds this name, so no name server is asked for it", "Write the address with the scheme " + strings.ToLower(network) + "."}, 0)
		return false
	}
	began := time.Now()
	ips, err := e.Resolver.LookupNetIP(ctx, "ip", f.endpoint.Hostname())
	took := time.Since(began)
	if err != nil {
		f.fail(StepResolve, e.words(f, err, took), took)
		return false
	}
	f.ok(StepResolve, list(ips), took)
	return true
}

// direct tells whether addresses of a scheme are dialled where they are, after a lookup of
// their names.
func direct(scheme string) bool {
	return scheme == addr.TCP || scheme == addr.TCPTLS || scheme == addr.QUIC
}

// list names the first few IP addresses.
func list(ips []netip.Addr) string {
	const most = 4
	var texts []string
	for _, ip := range ips[:min(most, len(ips))] {
		texts = append(texts, ip.Unmap().String())
	}
	if more := len(ips) - most; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, ", ")
}

// connect dials as the node does. It tells a proxy that does not do its part from what
// cannot be reached through it, and a connection that cannot be made from one on which the
// TLS handshake fails.
func (e *examination) connect(ctx context.Context, f *finding) (transport.Conn, bool) {
	scheme := f.endpoint.Scheme()
	if e.Transports[scheme] == nil {
		err := &transport.UnsupportedError{Scheme: scheme, Available: e.Transports.Schemes()}
		f.fail(StepConnect, fault{detail: err.Error()}, 0)
		return nil, false
	}
	t, carrier, proxy := watched(e.Transports[scheme])
	began := time.Now()
	conn, err := t.Dial(ctx, f.endpoint)
	if errors.Is(err, transport.ErrProxy) {
		took := time.Since(began)
		f.fail(StepProxy, e.proxyWords(f, err, proxy.connected()), took)
		return nil, false
	}
	if proxy.connected() {
		f.ok(StepProxy, proxy.conn.RemoteAddr().String(), proxy.done.Sub(began))
		began = proxy.done
	}
	step := StepConnect
	if carrier.connected() {
		f.ok(StepConnect, reached(f, carrier.conn, proxy), carrier.done.Sub(began))
		step, began = StepTLS, carrier.done
	}
	took := time.Since(began)
	switch {
	case err != nil && step == StepConnect && proxy != nil:
		f.fail(step, e.wordsBeyond(f, err, took), took)
	case err != nil:
		f.fail(step, e.words(f, err, took), took)
	case step == StepTLS:
		f.ok(step, "the certificate is of the right kind", took)
	default:
		f.ok(step, reached(f, conn, proxy), took)
	}
	return conn, err == nil
}

// reached says where a connection leads, as far as that is known here.
func reached(f *finding, conn transport.Conn, proxy *stopwatch) string {
	switch {
	case proxy != nil:
		return "the proxy has connected to it"
	case f.endpoint.Scheme() == addr.Unix:
		return "somebody listens"
	}
	return conn.RemoteAddr().String()
}

// watched is a transport with stopwatches in it, where it has several parts: for what TLS
// goes over, and for the connection to a proxy.
func watched(t transport.Transport) (_ transport.Transport, carrier, proxy *stopwatch) {
	switch t := t.(type) {
	case *transport.TLS:
		over, _, proxy := watched(t.Over)
		carrier = &stopwatch{Transport: over}
		return &transport.TLS{Over: carrier}, carrier, proxy
	case *transport.Socks5:
		proxy = &stopwatch{Transport: t.Over}
		return &transport.Socks5{Over: proxy, Proxy: t.Proxy, Isolate: t.Isolate}, nil, proxy
	}
	return t, nil, nil
}

// stopwatch notes when the one dial over it was done.
type stopwatch struct {
	transport.Transport
	conn transport.Conn
	done time.Time
}

// connected tells whether there is one, and its dial succeeded.
func (s *stopwatch) connected() bool { return s != nil && s.conn != nil }

// Dial implements transport.Transport.
func (s *stopwatch) Dial(ctx context.Context, a addr.Addr) (transport.Conn, error) {
	conn, err := s.Transport.Dial(ctx, a)
	if err == nil {
		s.conn, s.done = conn, time.Now()
	}
	return conn, err
}
