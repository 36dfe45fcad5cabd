//go:build !race

package transport_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// refusedByTLS and refusedByQUIC have a listener refuse a dialler of this configuration.
func refusedByTLS(ctx context.Context, _ *quic.Transport, at addr.Addr, config *tls.Config) error {
	inner, err := (&net.Dialer{}).DialContext(ctx, "tcp", at.HostPort())
	if err != nil {
		return err
	}
	defer inner.Close() //nolint:errcheck // it is refused
	_, err = io.ReadFull(tls.Client(inner, config), make([]byte, 1))
	return err
}

func refusedByQUIC(ctx context.Context, peer *quic.Transport, at addr.Addr, config *tls.Config) error {
	conn, err := peer.Dial(ctx, udpAddr(at), config, nil)
	if err != nil {
		return err
	}
	<-conn.Context().Done()
	return context.Cause(conn.Context())
}

// cpu is what this process has used.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// The dialler's part counts here as well, and that of its key is the greater one.
func TestH10ARefusedCertificateCostsLittle(t *testing.T) {
	const handshakes, most = 100, 5 * time.Millisecond
	bad := map[string][]tls.Certificate{"none": nil}
	for _, c := range certificateCases() {
		switch c.name {
		case "another name", "an ECDSA key", "an RSA key":
			bad[c.name] = []tls.Certificate{c.make(t)}
		}
	}
	for scheme, dial := range map[string]func(context.Context, *quic.Transport, addr.Addr, *tls.Config) error{
		"tcp+tls": refusedByTLS,
		"quic":    refusedByQUIC,
	} {
		for name, certs := range bad {
			t.Run(scheme+"/"+name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				l := mustListen(t, transport.Default()[scheme], scheme+"://127.0.0.1:0")
				var serving sync.WaitGroup
				defer serving.Wait()
				defer l.Close() //nolint:errcheck // it is closed once more
				serving.Go(func() {
					for {
						c, err := l.Accept()
						if err != nil {
							return
						}
						if err := transport.Handshake(ctx, c); err == nil {
							t.Error("it was accepted")
						}
						_ = c.Close() // it was refused
					}
				})
				peer := quicPeer(t)
				config := &tls.Config{Certificates: certs, InsecureSkipVerify: true}
				before := cpu(t)
				for range handshakes {
					if err := dial(ctx, peer, l.Addr(), config); err == nil || errors.Is(err, context.DeadlineExceeded) {
						t.Fatalf("Dial: %v, want it refused", err)
					}
				}
				took := (cpu(t) - before) / handshakes
				t.Logf("%v for each", took)
				if took > most {
					t.Errorf("%v of CPU for each, want %v at most", took, most)
				}
			})
		}
	}
}
