package transport_test

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// quicPeer is a socket of quic-go's, used without what our transport adds.
func quicPeer(t testing.TB) *quic.Transport {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tr := &quic.Transport{Conn: conn}
	t.Cleanup(func() {
		_ = tr.Close() // nothing is under way
		_ = conn.Close()
	})
	return tr
}

// passByteQUIC is passByte over the stream that a peer opens, or accepts. It ends when
// the other end has closed.
func passByteQUIC(ctx context.Context, conn *quic.Conn, stream func(context.Context) (*quic.Stream, error)) error {
	s, err := stream(ctx)
	if err != nil {
		return err
	}
	_, writeErr := s.Write([]byte{1})
	_, err = io.ReadFull(s, make([]byte, 1))
	if err == nil {
		_, _ = io.Copy(io.Discard, s) // until then, what was written might be lost
	}
	return cmp.Or(err, writeErr)
}

// dialledByQUICPeer has a quic-go of this configuration dial our listener. Each end also
// passes a byte, since a dialler learns late that it was refused; ours and theirs are
// what stopped it. Ours is net.ErrClosed when there was nothing to accept.
func dialledByQUICPeer(t *testing.T, config *tls.Config) (ours, theirs error) {
	t.Helper()
	l := mustListen(t, &transport.QUIC{}, "quic://127.0.0.1:0")
	config = config.Clone()
	config.InsecureSkipVerify = true
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var both sync.WaitGroup
	both.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			ours = err
			return
		}
		if ours = transport.Handshake(ctx, conn); ours == nil {
			ours = passByte(conn)
		}
		_ = conn.Close() // the error is reported
	})
	conn, err := quicPeer(t).Dial(ctx, udpAddr(l.Addr()), config, nil)
	if theirs = err; err == nil {
		theirs = passByteQUIC(ctx, conn, conn.OpenStreamSync)
		_ = conn.CloseWithError(0, "") // it always succeeds
	}
	if theirs != nil {
		_ = l.Close() // there was nothing to accept
	}
	both.Wait()
	return ours, theirs
}

// quicDialledByUs has us dial a quic-go of this configuration.
func quicDialledByUs(t *testing.T, config *tls.Config) (ours, theirs error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	peer := quicPeer(t)
	l, err := peer.ListenEarly(config, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it always succeeds
	accepting, giveUp := context.WithCancel(ctx)
	defer giveUp()
	var both sync.WaitGroup
	both.Go(func() {
		conn, err := l.Accept(accepting)
		if err != nil {
			theirs = err
			return
		}
		theirs = passByteQUIC(ctx, conn, conn.AcceptStream)
		_ = conn.CloseWithError(0, "") // it always succeeds
	})
	conn, err := (&transport.QUIC{}).Dial(ctx, addr.MustParse("quic://"+peer.Conn.LocalAddr().String()))
	if ours = err; err == nil {
		ours = passByte(conn)
		_ = conn.Close() // the error is reported
	} else {
		time.AfterFunc(100*time.Millisecond, giveUp) // there may be nothing to accept
	}
	both.Wait()
	return ours, theirs
}

func udpAddr(a addr.Addr) *net.UDPAddr {
	ip, _ := a.IP()
	port, _ := a.Port()
	return &net.UDPAddr{IP: ip.AsSlice(), Port: int(port)}
}

func TestH10QUICChecksCertificatesBothWays(t *testing.T) {
	for _, c := range certificateCases() {
		config := &tls.Config{Certificates: []tls.Certificate{c.make(t)}, ClientAuth: tls.RequireAnyClientCert}
		for side, dial := range map[string]func(*testing.T, *tls.Config) (ours, theirs error){
			"listening": dialledByQUICPeer,
			"dialling":  quicDialledByUs,
		} {
			t.Run(c.name+"/"+side, func(t *testing.T) {
				ours, theirs := dial(t, config)
				switch {
				case len(config.Certificates[0].Certificate[0]) > 16<<10:
					// quic-go takes 16 kB of handshake at most.
					if ours == nil || theirs == nil {
						t.Errorf("got %v here and %v there, want it refused", ours, theirs)
					}
				case c.accept:
					if ours != nil || theirs != nil {
						t.Errorf("got %v here and %v there, want it accepted", ours, theirs)
					}
				default:
					want := map[string]error{"listening": net.ErrClosed, "dialling": transport.ErrCertificate}[side]
					if !errors.Is(ours, want) || side == "dialling" && errors.Is(ours, net.ErrClosed) {
						t.Errorf("got %v, want %v", ours, want)
					}
					wantAlert(t, theirs, 42)
				}
			})
		}
	}
}

// wantAlert checks what a quic-go was told of a handshake that failed.
func wantAlert(t *testing.T, err error, alert quic.TransportErrorCode) {
	t.Helper()
	var told *quic.TransportError
	if !errors.As(err, &told) || !told.Remote || told.ErrorCode != 0x100+alert {
		t.Errorf("the peer got %v, want alert %d", err, alert)
	}
}

func TestQUICListenerWantsACertificate(t *testing.T) {
	ours, theirs := dialledByQUICPeer(t, &tls.Config{})
	if !errors.Is(ours, net.ErrClosed) {
		t.Errorf("got %v, want nothing to accept", ours)
	}
	wantAlert(t, theirs, 116)
}

func TestQUICHasNoApplicationProtocol(t *testing.T) {
	config := &tls.Config{Certificates: []tls.Certificate{darkfi(t)}, ClientAuth: tls.RequireAnyClientCert, NextProtos: []string{"h3"}}
	var told *quic.TransportError
	// Who offers one needs one selected, and gives up itself.
	if ours, theirs := dialledByQUICPeer(t, config); ours == nil || !errors.As(theirs, &told) || told.ErrorCode != 0x178 {
		t.Errorf("listening: got %v here and %v there, want 0x178", ours, theirs)
	}
	ours, theirs := quicDialledByUs(t, config)
	if !errors.Is(ours, syscall.ECONNRESET) || theirs == nil {
		t.Errorf("dialling: got %v here and %v there, want 0x178", ours, theirs)
	}
	if ours != nil && !strings.Contains(ours.Error(), "0x178") {
		t.Errorf("dialling: got %v, want 0x178", ours)
	}
}

func TestWhatAQUICDiallerOffers(t *testing.T) {
	var hello *tls.ClientHelloInfo
	ours, theirs := quicDialledByUs(t, &tls.Config{
		Certificates: []tls.Certificate{darkfi(t)},
		GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			hello = h
			return nil, nil
		},
	})
	if ours != nil || theirs != nil {
		t.Fatalf("got %v here and %v there", ours, theirs)
	}
	if hello.ServerName != "dark.fi" || len(hello.SupportedProtos) != 0 || len(hello.SupportedCurves) != 1 || hello.SupportedCurves[0] != tls.X25519 {
		t.Errorf("got name %q, protocols %v, groups %v", hello.ServerName, hello.SupportedProtos, hello.SupportedCurves)
	}
}

func TestAQUICSocketHasOneCertificate(t *testing.T) {
	var shown []*x509.Certificate
	config := &tls.Config{
		Certificates:       []tls.Certificate{darkfi(t)},
		ClientAuth:         tls.RequireAnyClientCert,
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			shown = append(shown, state.PeerCertificates[0])
			return nil
		},
	}
	q := &transport.QUIC{}
	l := mustListen(t, q, "quic://127.0.0.1:0")
	peer := quicPeer(t)
	pl, err := peer.Listen(config, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		conn, err := q.Dial(t.Context(), addr.MustParse("quic://"+peer.Conn.LocalAddr().String()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pl.Accept(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = conn.Close() // nothing was sent
		theirs, err := peer.Dial(t.Context(), udpAddr(l.Addr()), config, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = theirs.CloseWithError(0, "") // it always succeeds
	}
	for _, cert := range shown {
		if !cert.Equal(shown[0]) {
			t.Error("one socket showed two certificates")
		}
	}
	if len(shown) != 4 {
		t.Errorf("%d handshakes, want 4", len(shown))
	}
}
