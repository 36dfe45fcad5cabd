package transport_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dchat/p2p/addr"
	"dchat/p2p/transport"
)

// FuzzProxyReply has a proxy say anything, and then close the connection or fall
// silent. The dial succeeds with a proper dialogue alone, of which it reads not a byte
// too many or too few.
func FuzzProxyReply(f *testing.F) {
	for _, p := range hostileProxies() {
		f.Add([]byte(joined(p.answers)), p.user, p.stalls)
	}
	for _, bound := range []string{"\x01\x7f\x00\x00\x01\x00\x50", "\x04" + string(make([]byte, 18)), "\x03\x00\x00\x50", "\x03\x01a\x00\x50", "\x03\xff" + string(make([]byte, 257))} {
		f.Add([]byte(anyone+"\x05\x00\x00"+bound+"the stream"), false, false)
		f.Add([]byte(login+"\x01\x00\x05\x00\x00"+bound+"the stream"), true, true)
	}
	f.Fuzz(func(t *testing.T, said []byte, user, stalls bool) {
		stream, ok := afterSocks(said, user)
		synctest.Test(t, func(t *testing.T) {
			got, took, err := hear(t, said, user, stalls)
			switch {
			case took > connectTimeout:
				t.Errorf("it took %v", took)
			case ok != (err == nil):
				t.Errorf("got %v, want success: %v", err, ok)
			case ok && !bytes.Equal(got, stream):
				t.Errorf("the stream is %q, want %q", got, stream)
			case err != nil && !errors.As(err, new(*transport.Error)):
				t.Errorf("%T: %v", err, err)
			}
		})
	})
}

func joined(answers []string) (all string) {
	for _, a := range answers {
		all += a
	}
	return all
}

// hear dials through a proxy that says this, and reads the rest of it.
func hear(t *testing.T, said []byte, user, stalls bool) (rest []byte, took time.Duration, err error) {
	mem := transport.NewMem()
	mem.Buffer = 1 << 20 // so that the proxy says all at once
	l := mustListen(t, mem, "tcp://127.0.0.1:0")
	var serving sync.WaitGroup
	defer serving.Wait()
	serving.Go(func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close() //nolint:errcheck // the other end may be closed
		_, _ = c.Write(said)
		if !stalls {
			_ = c.CloseWrite() // it takes what it is sent all the same
		}
		_, _ = io.Copy(io.Discard, c)
	})
	own := ""
	if user {
		own = userinfo
	}
	ctx, cancel := context.WithTimeout(t.Context(), connectTimeout)
	defer cancel()
	start := time.Now()
	c, err := (&transport.Socks5{Over: mem}).Dial(ctx, addr.MustParse("socks5://"+own+l.Addr().HostPort()+"/host:1"))
	took = time.Since(start)
	if err != nil {
		return nil, took, err
	}
	defer c.Close() //nolint:errcheck // nothing was sent
	if err := c.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	rest, _ = io.ReadAll(c) // to its end or the deadline
	return rest, took, nil
}

// afterSocks is what follows a dialogue that leads to a connection.
func afterSocks(said []byte, user bool) (rest []byte, ok bool) {
	begin := func(with string) bool {
		said, ok = bytes.CutPrefix(said, []byte(with))
		return ok
	}
	welcome := begin(anyone) || user && begin(login+"\x01\x00")
	if !welcome || !begin("\x05\x00\x00") || len(said) < 2 {
		return nil, false
	}
	n := map[byte]int{1: 1 + 4 + 2, 3: 2 + int(said[1]) + 2, 4: 1 + 16 + 2}[said[0]]
	if n == 0 || len(said) < n {
		return nil, false
	}
	return said[n:], true
}
