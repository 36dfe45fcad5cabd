package transport_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/transport"
)

const handshakeTimeout = 10 * time.Second

// shakeHands completes an accepted connection within the handshake timeout.
func shakeHands(ctx context.Context, c transport.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	return transport.Handshake(ctx, c)
}

func TestSilentClientsHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const silent = 200
		mem := transport.NewMem()
		mem.Backlog = silent + 1
		ourTLS := &transport.TLS{Over: mem}
		l := mustListen(t, ourTLS, "tcp+tls://127.0.0.1:0")
		for range silent {
			c, err := mem.Dial(t.Context(), l.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close() //nolint:errcheck // nothing was sent
		}
		start := time.Now()
		var all sync.WaitGroup
		all.Go(func() {
			c, err := ourTLS.Dial(t.Context(), l.Addr())
			if err != nil {
				t.Error(err)
				return
			}
			if took := time.Since(start); took != 0 {
				t.Errorf("the honest client waited %s", took)
			}
			_ = c.Close() // nothing was sent
		})
		for i := range silent + 1 {
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took != 0 {
				t.Fatalf("connection %d was accepted after %s", i, took)
			}
			all.Go(func() {
				defer c.Close() //nolint:errcheck // nothing was sent
				err := shakeHands(t.Context(), c)
				if i == silent {
					if err != nil {
						t.Errorf("the honest client: %v", err)
					}
					return
				}
				if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != handshakeTimeout {
					t.Errorf("a silent client: %v after %s, want the deadline after %s", err, took, handshakeTimeout)
				}
			})
		}
		all.Wait()
	})
}

func TestTricklingClientIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMem()
		l := mustListen(t, &transport.TLS{Over: mem}, "tcp+tls://127.0.0.1:0")
		c, err := mem.Dial(t.Context(), l.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close() //nolint:errcheck // cut off
		start := time.Now()
		var trickling sync.WaitGroup
		defer trickling.Wait()
		trickling.Go(func() {
			// A record of 512 bytes that begins a ClientHello.
			hello := append([]byte{22, 3, 1, 2, 0, 1, 0, 1, 252}, make([]byte, 500)...)
			for i := range hello {
				if _, err := c.Write(hello[i : i+1]); err != nil {
					return
				}
				<-time.After(time.Second)
			}
			t.Error("took the whole ClientHello")
		})
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close() //nolint:errcheck // cut off
		err = shakeHands(t.Context(), conn)
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != handshakeTimeout {
			t.Errorf("%v after %s, want the deadline after %s", err, took, handshakeTimeout)
		}
	})
}

func TestClosingEndsAHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMem()
		l := mustListen(t, &transport.TLS{Over: mem}, "tcp+tls://127.0.0.1:0")
		c, err := mem.Dial(t.Context(), l.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close() //nolint:errcheck // nothing was sent
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		var shaking sync.WaitGroup
		shaking.Go(func() {
			if err := transport.Handshake(t.Context(), conn); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Handshake: %v, want %v", err, net.ErrClosed)
			}
		})
		synctest.Wait()
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		shaking.Wait()
	})
}

func TestGarbageIsNoHandshake(t *testing.T) {
	for name, garbage := range map[string][]byte{
		"plain text":             []byte("GET / HTTP/1.1\r\n\r\n"),
		"noise":                  noise(t, 4096),
		"a record of 65,535":     append([]byte{22, 3, 1, 255, 255}, make([]byte, 65535)...),
		"a hello of 16 MB":       append([]byte{22, 3, 1, 4, 0, 1, 255, 255, 255}, make([]byte, 1020)...),
		"an alert":               {21, 3, 3, 0, 2, 2, 40},
		"only application data":  {23, 3, 3, 0, 1, 0},
		"the end, and no record": nil,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem := transport.NewMem()
				mem.Buffer = 1 << 20
				l := mustListen(t, &transport.TLS{Over: mem}, "tcp+tls://127.0.0.1:0")
				c, err := mem.Dial(t.Context(), l.Addr())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close() //nolint:errcheck // refused
				if _, err := c.Write(garbage); err != nil {
					t.Fatal(err)
				}
				if garbage == nil {
					if err := c.CloseWrite(); err != nil {
						t.Fatal(err)
					}
				}
				conn, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close() //nolint:errcheck // refused
				start := time.Now()
				if err := shakeHands(t.Context(), conn); err == nil || time.Since(start) != 0 {
					t.Errorf("%v after %s, want an error at once", err, time.Since(start))
				}
			})
		})
	}
}

func noise(t *testing.T, n int) []byte {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	b[0] = 0 // no kind of record
	return b
}

// stuck returns a connection whose peer has stopped reading, with so much
// underway that not even an alert fits.
func stuck(t *testing.T) transport.Conn {
	mem := transport.NewMem()
	mem.Buffer = 1024
	ourTLS := &transport.TLS{Over: mem}
	l := mustListen(t, mem, "tcp+tls://127.0.0.1:0")
	var listening sync.WaitGroup
	listening.Go(func() {
		inner, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { _ = inner.Close() }) // does not read
		peer := tls.Server(inner, &tls.Config{Certificates: []tls.Certificate{darkfi(t)}, ClientAuth: tls.RequireAnyClientCert, SessionTicketsDisabled: true})
		if err := peer.HandshakeContext(t.Context()); err != nil {
			t.Error(err)
		}
	})
	conn, err := ourTLS.Dial(t.Context(), l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	listening.Wait()
	const overhead = 22 // of a record
	if _, err := conn.Write(make([]byte, mem.Buffer-overhead)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestClosingDoesNotWaitForThePeer(t *testing.T) {
	for name, end := range map[string]func(transport.Conn) error{
		"Close":      transport.Conn.Close,
		"CloseWrite": transport.Conn.CloseWrite,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := stuck(t)
				start := time.Now()
				err := end(conn)
				if took := time.Since(start); err == nil || took == 0 || took > time.Second {
					t.Errorf("%v after %s, want an error within a second", err, took)
				}
				_ = conn.Close() // may be closed
				if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
					t.Errorf("Read: %v, want %v", err, net.ErrClosed)
				}
			})
		})
	}
}

func TestPeerThatEndsWithoutAWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMem()
		l := mustListen(t, &transport.TLS{Over: mem}, "tcp+tls://127.0.0.1:0")
		inner, err := mem.Dial(t.Context(), l.Addr())
		if err != nil {
			t.Fatal(err)
		}
		var dialling sync.WaitGroup
		dialling.Go(func() {
			peer := tls.Client(inner, &tls.Config{Certificates: []tls.Certificate{darkfi(t)}, InsecureSkipVerify: true})
			if _, err := peer.Write([]byte("the last")); err != nil {
				t.Error(err)
			}
			_ = inner.Close() // no close_notify
		})
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close() //nolint:errcheck // the peer is gone
		if got, err := io.ReadAll(conn); string(got) != "the last" || err != nil {
			t.Errorf("read %q, %v, want what was written and its end", got, err)
		}
		dialling.Wait()
	})
}
