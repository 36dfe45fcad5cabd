// Package sockstest runs a SOCKS5 proxy for tests: one that somebody else has written,
// which remembers what it was asked for and where it went.
package sockstest

import (
	"context"
	"io"
	"log"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/armon/go-socks5"
)

// Proxy is a SOCKS5 proxy that takes every name for 127.0.0.1. It may be used concurrently.
type Proxy struct {
	accepts func(user, password string) bool

	mu      sync.Mutex
	asked   []Request
	sockets []string
}

// Request is what a proxy was asked for, and by whom.
type Request struct {
	Host string // the name or IP address as it was sent
	User string // empty when nobody in particular asked
}

// New makes a proxy for everybody, or, where accepts is not nil, for those whose user name
// and password it accepts.
func New(accepts func(user, password string) bool) *Proxy { return &Proxy{accepts: accepts} }

// Start runs a proxy on a free port of 127.0.0.1 until the test ends, and returns
// that endpoint as well. For accepts see New.
func Start(t testing.TB, accepts func(user, password string) bool) (p *Proxy, endpoint string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p = New(accepts)
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { p.Serve(ctx, l) })
	t.Cleanup(func() {
		cancel()
		serving.Wait()
	})
	return p, l.Addr().String()
}

// Serve takes connections from l until ctx ends, which closes l and all of them; it
// returns when they are gone.
func (p *Proxy) Serve(ctx context.Context, l net.Listener) {
	config := &socks5.Config{Rules: rules{p}, Resolver: resolver{}, Logger: log.New(io.Discard, "", 0)}
	config.Dial = func(_ context.Context, network, endpoint string) (net.Conn, error) {
		return p.dial(ctx, network, endpoint)
	}
	if p.accepts != nil {
		config.Credentials = credentials(p.accepts)
	}
	server, err := socks5.New(config)
	if err != nil { // it has nothing to find fault with
		panic(err)
	}
	defer context.AfterFunc(ctx, func() { _ = l.Close() })() // once
	var all sync.WaitGroup
	defer all.Wait()
	for {
		conn, err := l.Accept()
		if err != nil {
			return // closed
		}
		all.Go(func() {
			defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // it may be closed
			_ = server.ServeConn(conn)                                  // both ends see how it went
		})
	}
}

// Asked returns what the proxy has been asked for.
func (p *Proxy) Asked() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// Sockets returns the sockets, host:port, from which the proxy has connected to destinations.
func (p *Proxy) Sockets() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.sockets)
}

// dial connects to a destination for as long as ctx lasts.
func (p *Proxy) dial(ctx context.Context, network, endpoint string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, endpoint)
	if err == nil {
		context.AfterFunc(ctx, func() { _ = conn.Close() }) // it may be closed
		p.mu.Lock()
		defer p.mu.Unlock()
		p.sockets = append(p.sockets, conn.LocalAddr().String())
	}
	return conn, err
}

type rules struct{ *Proxy }

// Allow allows everything.
func (r rules) Allow(ctx context.Context, asked *socks5.Request) (context.Context, bool) {
	host := asked.DestAddr.FQDN
	if host == "" {
		host = asked.DestAddr.IP.String()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, Request{host, asked.AuthContext.Payload["Username"]})
	return ctx, true
}

type resolver struct{}

// Resolve takes every name for this machine.
func (resolver) Resolve(ctx context.Context, _ string) (context.Context, net.IP, error) {
	return ctx, net.IPv4(127, 0, 0, 1), nil
}

type credentials func(user, password string) bool

// Valid implements the interface of that name.
func (c credentials) Valid(user, password string) bool { return c(user, password) }
