package transport_test

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
	"dchat/p2p/transport/transporttest"
)

func TestTLSOverTCP(t *testing.T) {
	for _, host := range loopbacks(t) {
		t.Run(host, func(t *testing.T) {
			transporttest.Run(t, func(*testing.T) transporttest.Subject {
				return tlsSubject(&transport.TCP{}, "tcp+tls://"+host+":0")
			})
		})
	}
}

func TestTLSOverMem(t *testing.T) {
	transporttest.RunVirtual(t, func(*testing.T) transporttest.Subject {
		return tlsSubject(transport.NewMem(), "tcp+tls://127.0.0.1:0")
	})
}

func tlsSubject(over transport.Transport, a string) transporttest.Subject {
	return transporttest.Subject{
		Transport: &transport.TLS{Over: over},
		Listen:    addr.MustParse(a),
		Stalled: func(t *testing.T) addr.Addr {
			return mustListen(t, over, a).Addr() // connects, says nothing
		},
	}
}

// dialledByPeer has a crypto/tls of this configuration dial our listener. Each
// end also passes a byte, since a dialler learns late that it was refused; ours
// and theirs are what stopped it.
func dialledByPeer(t *testing.T, config *tls.Config) (ours, theirs error) {
	t.Helper()
	return handshakeWithListener(t, &transport.TLS{Over: transport.NewMem()}, config)
}

func handshakeWithListener(t *testing.T, ourTLS *transport.TLS, config *tls.Config) (ours, theirs error) {
	t.Helper()
	l := mustListen(t, ourTLS, "tcp+tls://127.0.0.1:0")
	defer l.Close() //nolint:errcheck // a listener in memory
	inner, err := ourTLS.Over.Dial(t.Context(), l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	config = config.Clone()
	config.InsecureSkipVerify = true
	peer := tls.Client(inner, config)
	defer peer.Close() //nolint:errcheck // its errors are tested before

	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // likewise
	var both sync.WaitGroup
	both.Go(func() {
		if ours = transport.Handshake(t.Context(), conn); ours == nil {
			ours = passByte(conn)
		}
		if ours != nil {
			_ = conn.Close() // the error is reported
		}
	})
	both.Go(func() { theirs = passByte(peer) })
	both.Wait()
	return ours, theirs
}

// dialledByUs has us dial a crypto/tls of this configuration.
func dialledByUs(t *testing.T, config *tls.Config) (ours, theirs error) {
	t.Helper()
	mem := transport.NewMem()
	l := mustListen(t, mem, "tcp+tls://127.0.0.1:0")
	var both sync.WaitGroup
	both.Go(func() {
		inner, err := l.Accept()
		if err != nil {
			theirs = err
			return
		}
		peer := tls.Server(inner, config)
		theirs = passByte(peer)
		_ = peer.Close() // the error is reported
	})
	both.Go(func() {
		conn, err := (&transport.TLS{Over: mem}).Dial(t.Context(), l.Addr())
		if err != nil {
			ours = err
			return
		}
		ours = passByte(conn)
		_ = conn.Close() // the error is reported
	})
	both.Wait()
	return ours, theirs
}

// passByte writes and reads a byte. Reading says more about why the peer is gone.
func passByte(c net.Conn) error {
	_, writeErr := c.Write([]byte{1})
	_, err := io.ReadFull(c, make([]byte, 1))
	return cmp.Or(err, writeErr)
}

func TestListenerWantsACertificate(t *testing.T) {
	ours, theirs := dialledByPeer(t, &tls.Config{})
	if ours == nil || theirs == nil || theirs.Error() != "remote error: tls: certificate required" {
		t.Errorf("got %v here and %v there, want alert 116 there", ours, theirs)
	}
}

func TestDiallerNeedNotBeAsked(t *testing.T) {
	ours, theirs := dialledByUs(t, &tls.Config{Certificates: []tls.Certificate{darkfi(t)}})
	if ours != nil || theirs != nil {
		t.Errorf("got %v here and %v there, want it accepted", ours, theirs)
	}
}

func TestOnlyTLS13(t *testing.T) {
	config := &tls.Config{
		Certificates: []tls.Certificate{darkfi(t)},
		ClientAuth:   tls.RequireAnyClientCert,
		MinVersion:   tls.VersionTLS12,
		MaxVersion:   tls.VersionTLS12,
	}
	if ours, theirs := dialledByPeer(t, config); ours == nil || theirs.Error() != "remote error: tls: protocol version not supported" {
		t.Errorf("listening: got %v here and %v there, want alert 70 there", ours, theirs)
	}
	if ours, theirs := dialledByUs(t, config); ours == nil || theirs == nil {
		t.Errorf("dialling: got %v here and %v there, want no handshake", ours, theirs)
	}
}

func TestListenerTakesAnyServerNameAndProtocol(t *testing.T) {
	for _, c := range []*tls.Config{
		{},
		{ServerName: "dark.fi"},
		{ServerName: "example.com"},
		{NextProtos: []string{"h2", "anything"}},
	} {
		c.Certificates = []tls.Certificate{darkfi(t)}
		var selected []string
		c.VerifyConnection = func(state tls.ConnectionState) error {
			selected = append(selected, state.NegotiatedProtocol)
			return nil
		}
		if ours, theirs := dialledByPeer(t, c); ours != nil || theirs != nil {
			t.Errorf("name %q, protocols %v: got %v here and %v there", c.ServerName, c.NextProtos, ours, theirs)
		}
		if !slices.Equal(selected, []string{""}) {
			t.Errorf("protocols %v: selected %q, want none", c.NextProtos, selected)
		}
	}
}

func TestWhatADiallerOffers(t *testing.T) {
	var hello *tls.ClientHelloInfo
	ours, theirs := dialledByUs(t, &tls.Config{
		Certificates: []tls.Certificate{darkfi(t)},
		GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			hello = h
			return nil, nil
		},
	})
	if ours != nil || theirs != nil {
		t.Fatalf("got %v here and %v there", ours, theirs)
	}
	if hello.ServerName != "dark.fi" || len(hello.SupportedProtos) != 0 ||
		!slices.Equal(hello.SupportedCurves, []tls.CurveID{tls.X25519}) ||
		!slices.Equal(hello.SupportedVersions, []uint16{tls.VersionTLS13}) {
		t.Errorf("got name %q, protocols %v, groups %v, versions %x", hello.ServerName, hello.SupportedProtos, hello.SupportedCurves, hello.SupportedVersions)
	}
}

func TestSessionsAreNotResumed(t *testing.T) {
	var states []tls.ConnectionState
	config := &tls.Config{
		Certificates:       []tls.Certificate{darkfi(t)},
		ServerName:         "dark.fi",
		ClientSessionCache: tls.NewLRUClientSessionCache(1),
		VerifyConnection: func(state tls.ConnectionState) error {
			states = append(states, state)
			return nil
		},
	}
	ourTLS := &transport.TLS{Over: transport.NewMem()}
	for range 2 {
		if ours, theirs := handshakeWithListener(t, ourTLS, config); ours != nil || theirs != nil {
			t.Fatalf("got %v here and %v there", ours, theirs)
		}
	}
	if _, ok := config.ClientSessionCache.Get("dark.fi"); ok || len(states) != 2 || states[1].DidResume {
		t.Errorf("ticket %v, %d handshakes; want neither ticket nor resumption", ok, len(states))
	}
}

func TestEveryDialHasAFreshCertificate(t *testing.T) {
	certs := peerCertificates(t, transport.NewMem(), 2)
	if certs[0].Equal(certs[1]) {
		t.Error("two dials showed one certificate")
	}
	mem := transport.NewMem()
	ourTLS := &transport.TLS{Over: mem}
	var shown []*x509.Certificate
	config := &tls.Config{Certificates: []tls.Certificate{darkfi(t)}, VerifyConnection: func(state tls.ConnectionState) error {
		shown = append(shown, state.PeerCertificates...)
		return nil
	}}
	for range 2 {
		if ours, theirs := handshakeWithListener(t, ourTLS, config); ours != nil || theirs != nil {
			t.Fatalf("got %v here and %v there", ours, theirs)
		}
	}
	if len(shown) != 2 || shown[0].Equal(shown[1]) {
		t.Error("two listeners showed one certificate")
	}
}

// peerCertificates returns what n dials of ours show a listener.
func peerCertificates(t *testing.T, mem *transport.Mem, n int) []*x509.Certificate {
	t.Helper()
	l := mustListen(t, mem, "tcp+tls://127.0.0.1:0")
	var certs []*x509.Certificate
	config := &tls.Config{
		Certificates: []tls.Certificate{darkfi(t)},
		ClientAuth:   tls.RequireAnyClientCert,
		VerifyConnection: func(state tls.ConnectionState) error {
			certs = append(certs, state.PeerCertificates...)
			return nil
		},
	}
	var listening sync.WaitGroup
	listening.Go(func() {
		for range n {
			inner, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			peer := tls.Server(inner, config)
			if err := peer.HandshakeContext(t.Context()); err != nil {
				t.Error(err)
			}
			_ = peer.Close() // nothing was sent
		}
	})
	for range n {
		conn, err := (&transport.TLS{Over: mem}).Dial(t.Context(), l.Addr())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, conn) // until the peer has seen the certificate
		_ = conn.Close()                 // nothing was sent
	}
	listening.Wait()
	if len(certs) != n {
		t.Fatalf("%d certificates, want %d", len(certs), n)
	}
	return certs
}

func TestRefusedDiallerLearnsItWhenItReads(t *testing.T) {
	mem := transport.NewMem()
	l := mustListen(t, mem, "tcp+tls://127.0.0.1:0")
	refusal := errors.New("no")
	var listening sync.WaitGroup
	defer listening.Wait()
	listening.Go(func() {
		inner, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		peer := tls.Server(inner, &tls.Config{
			Certificates:     []tls.Certificate{darkfi(t)},
			ClientAuth:       tls.RequireAnyClientCert,
			VerifyConnection: func(tls.ConnectionState) error { return refusal },
		})
		if err := peer.HandshakeContext(t.Context()); !errors.Is(err, refusal) {
			t.Error(err)
		}
		_ = peer.Close() // nothing was sent
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := (&transport.TLS{Over: mem}).Dial(ctx, l.Addr())
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	defer conn.Close() //nolint:errcheck // the peer has closed
	if _, err := conn.Read(make([]byte, 1)); err == nil || err.Error() != "remote error: tls: bad certificate" {
		t.Errorf("Read: %v, want alert 42", err)
	}
}
