package transporttest

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"dchat/p2p/transport"
)

// flood is more than any transport buffers.
const flood = 64 << 20

func testReadDeadline(t *testing.T, s Subject) {
	dialled, accepted := connect(t, s, listen(t, s))
	for i, c := range []transport.Conn{dialled, accepted} {
		start := time.Now()
		setReadDeadline(t, c, start.Add(moment))
		checkTimeout(t, readByte(c))
		if took := time.Since(start); took < moment || took > limit {
			t.Errorf("end %d: Read took %s, its deadline was %s away", i, took, moment)
		}
		checkTimeout(t, readByte(c))
		setReadDeadline(t, c, time.Now().Add(-time.Second))
		checkTimeout(t, readByte(c))
		setReadDeadline(t, c, time.Now().Add(limit))
	}
	exchange(t, dialled, accepted)
}

func testReadDeadlineMoved(t *testing.T, s Subject) {
	dialled, accepted := connect(t, s, listen(t, s))
	reading := inBackground(func() (any, error) { return nil, readByte(accepted) })
	setReadDeadline(t, accepted, time.Now().Add(limit/2))
	setReadDeadline(t, accepted, time.Unix(1, 0))
	_, err := reading()
	checkTimeout(t, err)

	setReadDeadline(t, accepted, time.Time{})
	reading = inBackground(func() (any, error) { return nil, readByte(accepted) })
	if _, err := dialled.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if _, err := reading(); err != nil {
		t.Errorf("Read without a deadline: %v", err)
	}
}

func testWriteDeadline(t *testing.T, s Subject) {
	dialled, _ := connect(t, s, listen(t, s))
	start := time.Now()
	if err := dialled.SetWriteDeadline(start.Add(moment)); err != nil {
		t.Fatal(err)
	}
	n, err := dialled.Write(make([]byte, flood))
	checkTimeout(t, err)
	if took := time.Since(start); took < moment || took > limit {
		t.Errorf("Write took %s, its deadline was %s away", took, moment)
	}
	if n >= flood {
		t.Errorf("wrote all %d bytes", n)
	}
	_, err = dialled.Write([]byte{1})
	checkTimeout(t, err)
}

func testPeerClose(t *testing.T, s Subject) {
	dialled, accepted := connect(t, s, listen(t, s))
	if _, err := dialled.Write([]byte("the last")); err != nil {
		t.Fatal(err)
	}
	if err := dialled.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(accepted); string(got) != "the last" || err != nil {
		t.Errorf("read %q, %v, want what was written and its end", got, err)
	}
}

func testWriteToClosed(t *testing.T, s Subject) {
	dialled, accepted := connect(t, s, listen(t, s))
	if err := accepted.Close(); err != nil {
		t.Fatal(err)
	}
	var err error
	for range flood / 1024 {
		if _, err = dialled.Write(make([]byte, 1024)); err != nil {
			break
		}
	}
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
		t.Errorf("Write: %v, want the end of the connection by the peer", err)
	}
}

func testCloseUnblocksRead(t *testing.T, s Subject) {
	l := listen(t, s)
	for end := range 2 {
		dialled, accepted := connect(t, s, l)
		c := []transport.Conn{dialled, accepted}[end]
		reading := inBackground(func() (any, error) { return nil, readByte(c) })
		if err := c.Close(); err != nil {
			t.Errorf("end %d: %v", end, err)
		}
		if _, err := reading(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("end %d: Read: %v, want %v", end, err, net.ErrClosed)
		}
	}
}

func testCloseUnblocksWrite(t *testing.T, s Subject) {
	dialled, _ := connect(t, s, listen(t, s))
	started := make(chan struct{})
	writing := inBackground(func() (int, error) {
		if n, err := dialled.Write([]byte{1}); err != nil {
			return n, err
		}
		close(started)
		return dialled.Write(make([]byte, flood))
	})
	<-started
	if err := dialled.Close(); err != nil {
		t.Error(err)
	}
	if n, err := writing(); n >= flood || !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write: %d bytes, %v, want %v", n, err, net.ErrClosed)
	}
	if _, err := dialled.Write([]byte{1}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write after Close: %v, want %v", err, net.ErrClosed)
	}
	if err := dialled.SetDeadline(time.Now()); err == nil {
		t.Error("SetDeadline after Close succeeded")
	}
}

func setReadDeadline(t *testing.T, c transport.Conn, at time.Time) {
	t.Helper()
	if err := c.SetReadDeadline(at); err != nil {
		t.Fatal(err)
	}
}

func readByte(c transport.Conn) error {
	_, err := c.Read(make([]byte, 1))
	return err
}

// checkTimeout checks the error of something whose deadline has expired.
func checkTimeout(t *testing.T, err error) {
	t.Helper()
	var timeout net.Error
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("got %v, want %v", err, os.ErrDeadlineExceeded)
	}
}
